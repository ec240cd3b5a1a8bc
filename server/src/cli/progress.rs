//! One line on stderr that shows progress, if a person can see it.

use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Cells of the bar.
const WIDTH: usize = 24;

/// The time between two drawings.
pub const EVERY: Duration = Duration::from_millis(200);

/// The line; it is erased when it goes out of use.
pub struct Progress {
    is_shown: bool,
    is_drawn: bool,
}

impl Progress {
    /// Draws on a terminal only: in a log each drawing would be a line.
    pub fn on_stderr() -> Self {
        Self { is_shown: std::io::stderr().is_terminal(), is_drawn: false }
    }

    /// The work in progress, without its extent.
    pub fn phase(&mut self, text: &str) {
        self.draw(text);
    }

    /// The share that is done, and more about it.
    pub fn bar(&mut self, phase: &str, done: f64, more: &str) {
        self.draw(&format!("{phase} {} {more}", bar(done)));
    }

    fn draw(&mut self, line: &str) {
        if self.is_shown {
            self.is_drawn = true;
            // Goes to the start of the line and erases the text there. Nobody reads a closed stderr.
            let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
        }
    }

    /// Erases the line, because something else is to be printed.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.is_drawn) {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the share is clamped to 0 to 1")]
fn bar(done: f64) -> String {
    let filled = (done.clamp(0.0, 1.0) * WIDTH as f64).round() as usize;
    format!("[{}{}]", "█".repeat(filled), "·".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_its_share_and_never_fuller() {
        let filled = |done| bar(done).matches('█').count();
        assert_eq!([filled(0.0), filled(0.5), filled(1.0), filled(7.0), filled(-1.0)], [0, 12, 24, 24, 0]);
    }
}
