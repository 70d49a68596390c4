//! One device over the hypervisor in memory, with a card that is told what to do.

mod allocation;
mod control_page;
mod flows;
mod hostile;
mod support;
mod volume;
