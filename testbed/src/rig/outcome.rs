//! What a run came to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::line::{Check, Figures};
use super::troubles;
use crate::child::Ending;
use crate::judge::verdict::Finding;
use crate::qemu::machine_line::Said;
use crate::wav::Pcm;

/// All that is known of a run once it's over.
pub struct Outcome {
    /// Where all its files are.
    pub folder: PathBuf,
    /// How the emulator ended.
    pub(super) ending: Ending,
    /// What the checks came to, in their order.
    pub checks: Vec<Check>,
    /// What the scenario has measured, in its order.
    pub figures: Vec<Figures>,
    /// The scenario's own verdict.
    pub(super) said: Option<Said>,
    /// Lines that could not be read.
    pub(super) malformed: Vec<String>,
    /// Xen's console.
    pub console: String,
    /// What the emulator itself said.
    pub emulator: String,
    /// What is wrong with how the emulator uses the harness.
    pub(super) complaint: Option<String>,
    /// What each codec played.
    pub heard: Vec<Option<Pcm>>,
    /// What each guest handed out was put here, or why it could not be.
    pub handed_out: BTreeMap<String, Result<PathBuf, String>>,
}

impl Outcome {
    /// Whether the scenario ran to its end, and nothing went wrong on the way that it does not know of. What its checks
    /// came to is another question.
    pub fn judge(&self) -> Result<(), Finding> {
        // Whatever else happened, this is why.
        if let Some(trouble) = troubles::first(&self.console) {
            return Err(Finding::crash(trouble));
        }
        match self.ending {
            Ending::Silent(limit) => {
                let seconds = limit.as_secs();
                return Err(Finding::crash(format!("dom0 said nothing for {seconds} s and was killed")));
            }
            Ending::TooLong(limit) => {
                let seconds = limit.as_secs();
                return Err(Finding::crash(format!("did not end within {seconds} s and was killed")));
            }
            Ending::Exited(status) if !status.success() || self.console.is_empty() => {
                let why = self.emulator.trim().lines().last().unwrap_or("no reason given");
                return Err(Finding::error(format!("the emulator ended with {status}: {why}")));
            }
            Ending::Exited(_) => {}
        }
        match &self.said {
            Some(Said::Pass) => {}
            Some(Said::Fail(why) | Said::Crash(why)) => return Err(Finding::failure(why.clone())),
            None => return Err(Finding::crash("ended without a verdict")),
        }
        if let Some(complaint) = &self.complaint {
            return Err(Finding::error(complaint.clone()));
        }
        if let Some(line) = self.malformed.first() {
            return Err(Finding::failure(format!("a line of dom0 can't be read: {line}")));
        }
        if let Some((guest, why)) =
            self.handed_out.iter().find_map(|(guest, result)| Some((guest, result.as_ref().err()?)))
        {
            return Err(Finding::failure(format!("{guest}: {why}")));
        }
        Ok(())
    }

    /// What a codec played; nothing when it played nothing.
    pub fn heard(&self, codec: usize) -> &[u8] {
        self.heard.get(codec).and_then(Option::as_ref).map_or(&[], |pcm| &pcm.bytes)
    }

    /// What the driver domain said, for people: on its console, and by way of Xen before it had one.
    pub fn driver_domain(&self) -> String {
        let by_xen = self.console.lines().filter(|line| line.starts_with("(d"));
        let mut said: String = by_xen.map(|line| format!("{}\n", line.trim_end())).collect();
        // Not there when dom0 did not get that far.
        let console = std::fs::read(self.folder.join("log/console/guest-snddom.log")).unwrap_or_default();
        said.push_str(&String::from_utf8_lossy(&console));
        said
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;
    use std::time::Duration;

    use super::*;
    use crate::judge::verdict::Verdict;

    fn outcome(ending: Ending, said: Option<Said>, console: &str) -> Outcome {
        Outcome {
            folder: PathBuf::new(),
            ending,
            checks: Vec::new(),
            figures: Vec::new(),
            said,
            malformed: Vec::new(),
            console: console.to_owned(),
            emulator: String::new(),
            complaint: None,
            heard: Vec::new(),
            handed_out: BTreeMap::new(),
        }
    }

    fn verdict(outcome: &Outcome) -> Verdict {
        outcome.judge().map_or_else(|finding| finding.verdict, |()| Verdict::Success)
    }

    fn exited(code: i32) -> Ending {
        Ending::Exited(ExitStatus::from_raw(code << 8))
    }

    #[test]
    fn only_a_run_that_ends_with_its_word_passes() {
        let xen = "(XEN) fine\n";
        assert_eq!(verdict(&outcome(exited(0), Some(Said::Pass), xen)), Verdict::Success);
        assert_eq!(verdict(&outcome(exited(0), Some(Said::Fail("x".into())), xen)), Verdict::Failure);
        assert_eq!(verdict(&outcome(exited(0), None, xen)), Verdict::Crash);
        assert_eq!(verdict(&outcome(exited(1), Some(Said::Pass), xen)), Verdict::Error);
        assert_eq!(verdict(&outcome(exited(1), None, "")), Verdict::Error);
        let silent = Ending::Silent(Duration::from_secs(1));
        assert_eq!(verdict(&outcome(silent, Some(Said::Pass), xen)), Verdict::Crash);
    }

    #[test]
    fn what_xen_says_counts_above_all() {
        let console = "(XEN) AMD-Vi: IO_PAGE_FAULT: 0000:00:1b.0 d1 addr 0\n";
        let finding = outcome(exited(0), Some(Said::Pass), console).judge().expect_err("a fault");
        assert!(finding.detail.contains("IOMMU"), "{finding}");
    }

    #[test]
    fn what_can_not_be_read_fails() {
        let mut outcome = outcome(exited(0), Some(Said::Pass), "(XEN)\n");
        outcome.handed_out.insert("guest1".into(), Err("no archive".into()));
        assert_eq!(verdict(&outcome), Verdict::Failure);
        outcome.handed_out.clear();
        outcome.malformed.push("@rig what".into());
        assert_eq!(verdict(&outcome), Verdict::Failure);
    }
}
