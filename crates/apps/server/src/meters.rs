//! What operators measure, in Prometheus' terms. Labels are words of our own:
//! nothing that a peer says becomes one.

use std::sync::Arc;
use std::time::Duration;

use axum::http::Method;
use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

/// Bounds of the histograms of durations, in seconds.
const BUCKETS: [f64; 14] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0];
const METADATA: Metadata<'static> = Metadata::new("guruconnect", Level::INFO, None);

/// One process' meters.
pub(crate) struct Meters {
    recorder: PrometheusRecorder,
    /// Those of the hot path.
    pub(crate) relay: Arc<RelayMeters>,
    /// Connections to agents and viewers.
    pub(crate) agents: Gauge,
    pub(crate) viewers: Gauge,
    /// Audit rows that could not be written.
    pub(crate) audit_failures: Counter,
}

/// What is counted for every message.
#[derive(Debug)]
pub(crate) struct RelayMeters {
    /// Messages with pictures, and their bytes, as agents sent them.
    pub(crate) pictures: Counter,
    pub(crate) picture_bytes: Counter,
    /// Everything else from agents to viewers.
    pub(crate) news_bytes: Counter,
    /// From viewers to agents.
    pub(crate) viewer_bytes: Counter,
    /// Pictures that found no room in a viewer's queue.
    pub(crate) missed: Counter,
    /// Connections that were ended since they did not keep up.
    pub(crate) flooded: Counter,
    /// From a picture's arrival to a viewer's acknowledgement, one at a time for each viewer.
    pub(crate) acknowledged: Histogram,
}

/// What is looked at when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Sample {
    /// Sessions by state.
    pub(crate) sessions: Vec<(&'static str, usize)>,
    /// Bytes that wait for agents and for viewers.
    pub(crate) agent_queue: usize,
    pub(crate) viewer_queue: usize,
    /// Connections that speak HTTP.
    pub(crate) http: usize,
}

impl Meters {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        for (name, unit, text) in COUNTERS {
            recorder.describe_counter((*name).into(), *unit, (*text).into());
        }
        for (name, unit, text) in GAUGES {
            recorder.describe_gauge((*name).into(), *unit, (*text).into());
        }
        for (name, text) in HISTOGRAMS {
            recorder.describe_histogram((*name).into(), Some(Unit::Seconds), (*text).into());
        }
        let relay = RelayMeters {
            pictures: counter(&recorder, "guruconnect_picture_messages_total", &[]),
            picture_bytes: counter(&recorder, "guruconnect_relayed_bytes_total", &[("class", "picture")]),
            news_bytes: counter(&recorder, "guruconnect_relayed_bytes_total", &[("class", "agent_other")]),
            viewer_bytes: counter(&recorder, "guruconnect_relayed_bytes_total", &[("class", "viewer")]),
            missed: counter(&recorder, "guruconnect_pictures_missed_total", &[]),
            flooded: counter(&recorder, "guruconnect_too_slow_total", &[]),
            acknowledged: histogram(&recorder, "guruconnect_acknowledgement_seconds", &[]),
        };
        let agents = gauge(&recorder, "guruconnect_connections", &[("plane", "agent")]);
        let viewers = gauge(&recorder, "guruconnect_connections", &[("plane", "viewer")]);
        let audit_failures = counter(&recorder, "guruconnect_audit_failures_total", &[]);
        Ok(Self { relay: Arc::new(relay), agents, viewers, audit_failures, recorder })
    }

    /// A request was answered: by which route, how, and how long it took.
    pub(crate) fn answered(&self, route: &str, method: &Method, status: u16, took: Duration) {
        let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::HEAD];
        let method = if known.contains(method) { method.as_str() } else { "other" };
        let labels = [("route", route), ("method", method), ("status", &status.to_string())];
        counter(&self.recorder, "guruconnect_http_requests_total", &labels).increment(1);
        histogram(&self.recorder, "guruconnect_http_request_seconds", &[("route", route)]).record(took.as_secs_f64());
    }

    /// Somebody was refused, for this reason.
    pub(crate) fn refused(&self, code: &'static str) {
        counter(&self.recorder, "guruconnect_refusals_total", &[("code", code)]).increment(1);
    }

    /// Everything, as Prometheus reads it.
    pub(crate) fn render(&self, sample: &Sample) -> String {
        let set = |name, labels: &[(&'static str, &str)], value: f64| gauge(&self.recorder, name, labels).set(value);
        for (state, count) in &sample.sessions {
            set("guruconnect_sessions", &[("state", state)], *count as f64);
        }
        set("guruconnect_queue_bytes", &[("plane", "agent")], sample.agent_queue as f64);
        set("guruconnect_queue_bytes", &[("plane", "viewer")], sample.viewer_queue as f64);
        set("guruconnect_connections", &[("plane", "http")], sample.http as f64);
        let process = process();
        set("process_resident_memory_bytes", &[], process.resident);
        set("process_cpu_seconds", &[], process.cpu);
        set("process_open_fds", &[], process.files);
        self.recorder.handle().render()
    }

    /// Fold what was measured into the histograms; called now and then.
    pub(crate) fn upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }
}

const COUNTERS: &[(&str, Option<Unit>, &str)] = &[
    ("guruconnect_picture_messages_total", None, "Messages with pictures that agents sent."),
    ("guruconnect_relayed_bytes_total", Some(Unit::Bytes), "Bytes taken in to be relayed, by class."),
    ("guruconnect_pictures_missed_total", None, "Pictures that found no room in a viewer's queue."),
    ("guruconnect_too_slow_total", None, "Connections ended since they did not take in what was sent."),
    ("guruconnect_audit_failures_total", None, "Audit rows that could not be written. Alarm on any."),
    ("guruconnect_http_requests_total", None, "Answered requests by route, method and status."),
    ("guruconnect_refusals_total", None, "Refused requests by error code."),
];
const GAUGES: &[(&str, Option<Unit>, &str)] = &[
    ("guruconnect_connections", None, "Open connections by plane."),
    ("guruconnect_sessions", None, "Sessions whose agent has been here, by state."),
    ("guruconnect_queue_bytes", Some(Unit::Bytes), "Bytes that wait to be written, by plane."),
    ("process_resident_memory_bytes", Some(Unit::Bytes), "Resident memory of the server."),
    ("process_cpu_seconds", Some(Unit::Seconds), "Processor time that the server has used."),
    ("process_open_fds", None, "Open files of the server."),
];
const HISTOGRAMS: &[(&str, &str)] = &[
    ("guruconnect_acknowledgement_seconds", "From a picture's arrival to a viewer's acknowledgement."),
    ("guruconnect_http_request_seconds", "Time to answer requests, by route."),
];

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

fn counter(recorder: &PrometheusRecorder, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
    recorder.register_counter(&key(name, labels), &METADATA)
}

fn gauge(recorder: &PrometheusRecorder, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
    recorder.register_gauge(&key(name, labels), &METADATA)
}

fn histogram(recorder: &PrometheusRecorder, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
    recorder.register_histogram(&key(name, labels), &METADATA)
}

#[derive(Debug, Default)]
struct Process {
    resident: f64,
    cpu: f64,
    files: f64,
}

/// What the system says of this process; zeros where it says nothing.
fn process() -> Process {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
    let status = read("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: Option<f64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    // After the name in brackets, which may hold anything: user and system time are the 12th and 13th.
    let stat = read("stat");
    let times = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: f64 = times.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    // Linux counts in hundredths for everybody who asks.
    Process { resident: kib.unwrap_or(0.0) * 1024.0, cpu: ticks / 100.0, files: files as f64 }
}

/// One more of something, until this is dropped.
pub(crate) struct Present(Gauge);

impl Present {
    pub(crate) fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_shown() {
        let meters = Meters::new().unwrap();
        meters.relay.picture_bytes.increment(7);
        meters.relay.acknowledged.record(0.003);
        meters.answered("/api/codes/{code}/validate", &Method::from_bytes(b"EVIL").unwrap(), 404, Duration::ZERO);
        let here = Present::new(&meters.agents);
        let text = meters.render(&Sample { sessions: vec![("live", 2)], ..Default::default() });
        for line in [
            "guruconnect_relayed_bytes_total{class=\"picture\"} 7",
            "guruconnect_sessions{state=\"live\"} 2",
            "guruconnect_connections{plane=\"agent\"} 1",
            "guruconnect_acknowledgement_seconds_bucket{le=\"0.005\"} 1",
            "guruconnect_http_requests_total{route=\"/api/codes/{code}/validate\",method=\"other\",status=\"404\"} 1",
        ] {
            assert!(text.contains(line), "{line} is not in:\n{text}");
        }
        drop(here);
        assert!(meters.render(&Sample::default()).contains("guruconnect_connections{plane=\"agent\"} 0"));
    }
}
