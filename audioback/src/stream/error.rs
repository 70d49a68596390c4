//! Reasons why a request to a stream fails. [`status`](crate::status) has the answer to the front end for each.

use hyper::MapError;
use sndif::page_directory::DirectoryError;

use crate::card::CardError;
use crate::hw_params::BadOpen;
use crate::resources::Resource;
use crate::rights::Right;

/// Why an OPEN failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The guest doesn't have the right that the port needs.
    Denied(Right),
    /// The parameters are outside what a query offers.
    Bad(BadOpen),
    /// The guest's page directory is malformed.
    Directory(DirectoryError),
    /// A page of the directory or of the buffer cannot be mapped.
    Map(MapError),
    /// The guest would hold more of this than it may.
    OverLimit(Resource),
    /// Another stream has the port.
    PortTaken,
    /// The card refused or failed.
    Card(CardError),
    /// RUN still reads 1 after an earlier close, so the stream still holds that buffer.
    StillRunning,
}

/// Why any other request to a stream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// The stream is not open; or a start of a stream that is started, or a resume of one that is not paused.
    WrongState,
    /// The range lies outside the buffer. For volumes: it is unaligned, or not one value per channel.
    BadRange,
    /// The run has failed. Its position does not move any more, so an application must not wait for it.
    RunFailed,
    /// The stream was idle, and another guest has its port now. It can be opened again.
    GaveWay,
    /// The port's path has no amplifier for it.
    NoAmplifier,
    /// The page of the values cannot be mapped. GET_VOLUME needs a page that is granted for writing.
    Map(MapError),
    /// The card refused or failed. Of volumes and mutes, those of lower channels are already changed.
    Card(CardError),
}
