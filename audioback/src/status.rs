//! The status of an answer for each error.

use sndif::response::Status;

use crate::card::CardError;
use crate::stream::{HintError, OpenError, TriggerError, VolumeError};
use hyper::MapError;

pub(crate) fn open_status(error: &OpenError) -> Status {
    match error {
        OpenError::Denied(_) => Status::EACCES,
        OpenError::Bad(_) | OpenError::Directory(_) | OpenError::Map(MapError::NotGranted(_)) => {
            Status::EINVAL
        }
        OpenError::Map(MapError::AlreadyMapped(_)) => Status::EBUSY,
        OpenError::Map(MapError::NoRoom) => Status::ENOMEM,
        OpenError::Card(error) => card_status(*error),
        OpenError::StillRunning => Status::EIO,
    }
}

pub(crate) fn trigger_status(error: &TriggerError) -> Status {
    match error {
        TriggerError::NotOpen | TriggerError::WrongState => Status::EINVAL,
        TriggerError::Card(error) => card_status(*error),
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

pub(crate) fn volume_status(error: &VolumeError) -> Status {
    match error {
        VolumeError::Unsupported | VolumeError::Card(CardError::Unsupported) => Status::EOPNOTSUPP,
        VolumeError::BadRange => Status::EINVAL,
        VolumeError::Map(MapError::NoRoom) => Status::ENOMEM,
        VolumeError::Map(_) => Status::EFAULT,
        VolumeError::Card(error) => card_status(*error),
    }
}

pub(crate) fn hint_status(error: &HintError) -> Status {
    match error {
        HintError::BadRange => Status::EINVAL,
        HintError::RunFailed => Status::EIO,
    }
}
