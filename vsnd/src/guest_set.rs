//! A set of guests, as many as there can be devices.

use core::fmt;

use heapless::Vec;
use hyper::DomainId;

use crate::device_table::MAX_DEVICES;

/// A set of guests, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GuestSet {
    guests: Vec<DomainId, MAX_DEVICES>,
    /// Guests that found no room.
    left_out: u16,
}

impl GuestSet {
    /// Adds a guest, unless the set has it.
    pub(crate) fn insert(&mut self, guest: DomainId) {
        if let Err(place) = self.guests.binary_search_by_key(&guest.0, |guest| guest.0)
            && self.guests.insert(place, guest).is_err()
        {
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Adds the guests of `others` that aren't in `known`.
    pub(crate) fn add_unknown(&mut self, others: &Self, known: &Self) {
        others.guests.iter().filter(|guest| !known.contains(**guest)).for_each(|guest| self.insert(*guest));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.guests.is_empty()
    }

    fn contains(&self, guest: DomainId) -> bool {
        self.guests.binary_search_by_key(&guest.0, |guest| guest.0).is_ok()
    }
}

impl fmt::Display for GuestSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, guest) in self.guests.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", guest.0)?;
        }
        if self.left_out > 0 {
            write!(f, ",+{}", self.left_out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn set(guests: impl IntoIterator<Item = u16>) -> GuestSet {
        let mut set = GuestSet::default();
        guests.into_iter().for_each(|guest| set.insert(DomainId(guest)));
        set
    }

    #[test]
    fn each_guest_is_there_once_and_in_order() {
        assert_eq!(set([7, 3, 7, 3, 32_751]).to_string(), "3,7,32751");
        assert_eq!(set([7, 3]), set([3, 7]));
        assert_eq!(set([]).to_string(), "");
    }

    #[test]
    fn guests_without_room_are_counted() {
        let text = set(0..40).to_string();
        assert!(text.starts_with("0,1,2,") && text.ends_with(",31,+8"), "{text}");
    }

    #[test]
    fn only_unknown_guests_are_added() {
        let mut now = set([4]);
        now.add_unknown(&set([2, 3]), &set([3]));
        assert_eq!(now.to_string(), "2,4");
    }
}
