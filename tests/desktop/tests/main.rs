//! Whole journeys: real server, real agent, real desktop, real browser.

mod administration;
mod backup;
mod chat_x11;
mod consent_x11;
mod decoders;
mod displays_x11;
mod film_viewers_x11;
mod held_x11;
mod hostile_relay;
mod journey_windows;
mod journey_x11;
mod layouts_x11;
mod lines_x11;
mod other_origin;
mod pages;
mod people_x11;
mod photographs_x11;
mod planted_x11;
mod proxies;
mod quality_x11;
mod restarts_x11;
mod slow_viewers_x11;
mod tls;
mod video_failures_x11;
mod video_x11;
