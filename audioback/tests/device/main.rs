//! One device over the hypervisor in memory, with a card that is told what to do.

mod allocation;
mod control_page;
mod flows;
mod hostile;
mod idle;
mod limits;
mod logs;
mod moments;
mod ports;
mod support;
mod trims;
mod volume;
mod xruns;
