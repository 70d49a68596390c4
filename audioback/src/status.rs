//! The status of an answer for each error.

use sndif::response::Status;

use crate::card::CardError;
use crate::stream::{OpenError, StreamError};
use hyper::MapError;

pub(crate) fn open_status(error: &OpenError) -> Status {
    match error {
        OpenError::Denied(_) => Status::EACCES,
        OpenError::Bad(_) | OpenError::Directory(_) | OpenError::Map(MapError::NotGranted(_)) => {
            Status::EINVAL
        }
        OpenError::Map(MapError::AlreadyMapped(_)) => Status::EBUSY,
        OpenError::OverLimit(_) | OpenError::Map(MapError::NoRoom) => Status::ENOMEM,
        OpenError::PortTaken => Status::EBUSY,
        OpenError::Card(error) => card_status(*error),
        OpenError::StillRunning => Status::EIO,
    }
}

pub(crate) fn stream_status(error: &StreamError) -> Status {
    match error {
        StreamError::WrongState | StreamError::BadRange => Status::EINVAL,
        StreamError::RunFailed => Status::EIO,
        StreamError::GaveWay => Status::EBUSY,
        StreamError::NoAmplifier => Status::EOPNOTSUPP,
        StreamError::Map(MapError::NoRoom) => Status::ENOMEM,
        StreamError::Map(_) => Status::EFAULT,
        StreamError::Card(error) => card_status(*error),
    }
}

pub(crate) fn card_status(error: CardError) -> Status {
    match error {
        CardError::NoSuchPort => Status::ENODEV,
        CardError::Busy => Status::EBUSY,
        CardError::Unsupported | CardError::BadBuffer | CardError::WrongState => Status::EINVAL,
        CardError::Hardware => Status::EIO,
    }
}
