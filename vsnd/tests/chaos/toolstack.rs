//! The toolstack: attaches cards to guests and takes them away.

use hyper::DomainId;
use sndif::Direction;
use xenstored_model::Stored;

pub const DRIVER: DomainId = DomainId(5);

/// A guest's card in its own directory.
pub fn front_path(guest: u16) -> String {
    format!("/local/domain/{guest}/device/vsnd/0")
}

/// The same card in the driver domain's.
pub fn back_path(guest: u16) -> String {
    format!("backend/vsnd/{guest}/0")
}

/// `xl` attaches a card with these streams, unless the guest has one.
pub fn attach<'a>(stored: &mut Stored<'_>, guest: u16, streams: impl Iterator<Item = (Direction, &'a str)>) {
    let (front, back) = (front_path(guest), back_path(guest));
    if stored.exists(&back) {
        return;
    }
    // xl makes the guest's home directory unreadable for the driver domain.
    let home = format!("/local/domain/{guest}");
    if !stored.hidden.contains(&home) {
        stored.hidden.push(home);
    }
    stored.set(&format!("{front}/state"), "1");
    stored.set(&format!("{front}/backend-id"), &DRIVER.0.to_string());
    for (index, (direction, port)) in streams.enumerate() {
        stored.set(&format!("{front}/0/{index}/unique-id"), port);
        stored.set(&format!("{front}/0/{index}/type"), direction.node());
    }
    stored.set(&format!("{back}/frontend"), &front);
    stored.set(&format!("{back}/frontend-id"), &guest.to_string());
    stored.set(&format!("{back}/online"), "1");
    stored.set(&format!("{back}/state"), "1");
}

/// `xl` detaches it.
pub fn detach(stored: &mut Stored<'_>, guest: u16) {
    let back = back_path(guest);
    if stored.exists(&back) {
        stored.set(&format!("{back}/online"), "0");
        stored.set(&format!("{back}/state"), "5");
    }
}
