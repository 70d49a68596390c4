//! `cargo xtask xen`.

use std::process::ExitCode;

use anyhow::Result;

use crate::qemu::Pace;
use crate::rig::{self, Iommu, Plan};
use crate::{image, provision};

/// Boot Xen in an emulated machine, with the image as driver domain.
#[derive(clap::Args)]
pub(crate) struct Xen {
    /// The IOMMU of the machine
    #[arg(long, value_enum, default_value = "amd")]
    iommu: Iommu,

    /// Run in real time
    #[arg(long)]
    realtime: bool,

    /// The image's log level
    #[arg(long, value_name = "LEVEL", default_value = "debug", value_parser = ["error", "warn", "info", "debug", "trace"])]
    log: String,
}

impl Xen {
    /// Runs the command.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        provision::qemu()?;
        let image = image::build()?;
        let outcome = rig::run(&Plan {
            name: "xen".to_owned(),
            scenario: include_str!("../../rig/scenarios/play.sh"),
            image: image.path,
            log_level: self.log,
            iommu: self.iommu,
            pace: if self.realtime { Pace::Real } else { Pace::Virtual },
        })?;
        for line in outcome.console.lines().filter(|line| line.starts_with("(d")) {
            println!("{}", line.trim_end());
        }
        println!("logs: {}", outcome.folder.display());
        match outcome.judge() {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(finding) => {
                eprintln!("{finding}");
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
