//! Nobody to talk to: no display, so nobody accepts.

use crate::{Answer, DesktopError, Notice, NoticeEvent, Presence, Prompt, Question, Withdraw};

/// Answers for a person who cannot be asked; holds why.
#[derive(Debug)]
pub(super) struct Silent(pub(super) String);

impl Prompt for Silent {
    fn ask(&self, _: &Question, _: &Withdraw) -> Answer {
        Answer::NoPrompt
    }

    fn notice(&self, _: Presence, _: Box<dyn Fn(NoticeEvent) + Send>) -> Result<Box<dyn Notice>, DesktopError> {
        Err(DesktopError::None(self.0.clone()))
    }

    fn ask_code(&self, _: Option<&str>) -> Result<Option<String>, DesktopError> {
        Err(DesktopError::None(self.0.clone()))
    }

    fn busy(&self, _: &str) -> Box<dyn Send> {
        Box::new(())
    }

    fn tell(&self, title: &str, text: &str) {
        tracing::error!(title, text, "there is no display to tell this on");
    }
}
