//! A test bed without the D-Bus harness: nothing of it can be made.

use std::convert::Infallible;
use std::path::Path;

use anyhow::{Result, bail};

use super::{Microphone, Traffic};

/// Stands for the monitor's socket, and never exists.
pub struct MonitorSocket(Infallible);

impl MonitorSocket {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub fn new() -> Result<MonitorSocket> {
        bail!("this test bed was built without its D-Bus harness: the feature is called harness")
    }

    /// Never called.
    pub fn path(&self) -> &Path {
        match self.0 {}
    }
}

/// Stands for a running harness, and never exists.
pub struct Harness(Infallible);

impl Harness {
    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn serve(socket: MonitorSocket, _: Microphone, _: u32) -> Result<Harness> {
        match socket.0 {}
    }

    /// Never called.
    pub fn finish(self) -> Traffic {
        match self.0 {}
    }
}
