//! The toolstack: attaches devices to guests and takes them away.

use sndif::Direction;

use super::rig::{DRIVER, Rig};

/// A stream of a guest's card: its place in the directory, its direction and its `unique-id`.
pub type StreamAt = (u16, u16, Direction, &'static str);

/// One PCM device with a playback and a capture stream.
pub const DUPLEX: [StreamAt; 2] = [(0, 0, Direction::Playback, "pcm0"), (0, 1, Direction::Capture, "pcm1")];

pub fn front_path(guest: u16, device: u16) -> String {
    format!("/local/domain/{guest}/device/vsnd/{device}")
}

pub fn back_path(guest: u16, device: u16) -> String {
    format!("backend/vsnd/{guest}/{device}")
}

impl Rig {
    /// `xl` attaches a card with these streams.
    pub fn attach(&mut self, guest: u16, device: u16, streams: &[StreamAt]) {
        self.attach_nodes(guest, device, streams);
        self.wake();
    }

    /// The same, before this domain sees it.
    pub fn attach_nodes(&mut self, guest: u16, device: u16, streams: &[StreamAt]) {
        let front = front_path(guest, device);
        let stored = &mut self.stored;
        stored.set(&format!("{front}/state"), "1");
        stored.set(&format!("{front}/backend-id"), &DRIVER.0.to_string());
        stored.set(&format!("{front}/short-name"), "VCard");
        stored.set(&format!("{front}/sample-rates"), "44100,48000");
        stored.set(&format!("{front}/sample-formats"), "s16_le");
        stored.set(&format!("{front}/buffer-size"), "65536");
        for (pcm, stream, kind, unique_id) in streams {
            stored.set(&format!("{front}/{pcm}/name"), "dev1");
            stored.set(&format!("{front}/{pcm}/{stream}/unique-id"), unique_id);
            stored.set(&format!("{front}/{pcm}/{stream}/type"), kind.node());
        }
        self.attach_back_nodes(guest, device);
    }

    /// `xl` writes the driver domain's part alone.
    pub fn attach_back(&mut self, guest: u16, device: u16) {
        self.attach_back_nodes(guest, device);
        self.wake();
    }

    fn attach_back_nodes(&mut self, guest: u16, device: u16) {
        let back = back_path(guest, device);
        let stored = &mut self.stored;
        stored.set(&format!("{back}/frontend"), &front_path(guest, device));
        stored.set(&format!("{back}/frontend-id"), &guest.to_string());
        stored.set(&format!("{back}/online"), "1");
        stored.set(&format!("{back}/state"), "1");
    }

    /// `xl` detaches a device.
    pub fn detach(&mut self, guest: u16, device: u16) {
        self.detach_nodes(guest, device);
        self.wake();
    }

    /// The same, before this domain sees it.
    pub fn detach_nodes(&mut self, guest: u16, device: u16) {
        let back = back_path(guest, device);
        self.stored.set(&format!("{back}/online"), "0");
        self.stored.set(&format!("{back}/state"), "5");
    }

    /// The guest and all its nodes go at once, as with `xl destroy`, and `xl` detaches its device.
    pub fn destroy(&mut self, guest: u16) {
        self.stored.remove(&format!("/local/domain/{guest}"));
        self.detach(guest, 0);
    }

    /// Waits until the device's directory is removed.
    pub fn until_removed(&mut self, guest: u16) {
        self.until("the directory's removal", |rig| !rig.stored.exists(&back_path(guest, 0)));
    }

    pub fn back_state(&self, guest: u16, device: u16) -> Option<&str> {
        self.stored.value(&format!("{}/state", back_path(guest, device)))
    }
}
