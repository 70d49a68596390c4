//! The result of a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;

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
    /// The results of the checks, in their order.
    pub checks: Vec<Check>,
    /// The scenario's figures, in its order.
    pub figures: Vec<Figures>,
    /// The scenario's own verdict.
    pub(super) said: Option<Said>,
    /// Lines that could not be read.
    pub(super) malformed: Vec<String>,
    /// Xen's console.
    pub console: String,
    /// The emulator's own messages.
    pub emulator: String,
    /// The first fault in the emulator's use of the harness.
    pub(super) complaint: Option<String>,
    /// Sound that each codec played.
    pub heard: Vec<Option<Pcm>>,
    /// The folder of each guest's files, or the reason that there is none.
    pub handed_out: BTreeMap<String, Result<PathBuf, String>>,
}

impl Outcome {
    /// Whether the scenario ran to its end, and nothing went wrong on the way that it does not know of. What its checks
    /// came to is another question.
    pub fn judge(&self) -> Result<(), Finding> {
        // A trouble explains everything after it.
        if let Some(trouble) = troubles::first(&self.console) {
            return Err(Finding::crash(trouble));
        }
        let status = self.ending.status().map_err(|why| Finding::crash(format!("dom0 {why}")))?;
        if !status.success() || self.console.is_empty() {
            let why = self.emulator.trim().lines().last().unwrap_or("no reason given");
            return Err(Finding::error(format!("the emulator ended with {status}: {why}")));
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
        self.handed_out.keys().try_for_each(|guest| self.handed_out(guest).map(|_| ()))
    }

    /// The folder with the files that a guest handed out.
    ///
    /// # Errors
    /// It handed out nothing, or nothing that can be unpacked.
    pub fn handed_out(&self, guest: &str) -> Result<&Path, Finding> {
        match self.handed_out.get(guest) {
            Some(Ok(folder)) => Ok(folder),
            Some(Err(why)) => Err(Finding::failure(format!("{guest}: {why}"))),
            None => Err(Finding::failure(format!("{guest} handed out nothing"))),
        }
    }

    /// The scenario's figures under a name.
    ///
    /// # Errors
    /// It has not.
    pub fn figures(&self, name: &str) -> anyhow::Result<&Figures> {
        let figures = self.figures.iter().find(|figures| figures.name == name);
        figures
            .with_context(|| format!("the scenario has not measured {name}; logs: {}", self.folder.display()))
    }

    /// Sound that a codec played; empty without any.
    pub fn heard(&self, codec: usize) -> &[u8] {
        self.heard.get(codec).and_then(Option::as_ref).map_or(&[], |pcm| &pcm.bytes)
    }

    /// The driver domain's log: from its console, and from Xen's before it had one.
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
