//! The devices that are served, each in a slot of its own.

use alloc::boxed::Box;

use crate::requester::DeviceKey;

/// Devices that are served at a time. Further ones wait until one goes.
pub const MAX_DEVICES: usize = 32;

#[derive(Debug)]
struct Slot<D> {
    /// The key of the slot's device, or else of its last one.
    key: DeviceKey,
    device: Option<D>,
}

/// The devices that are served, each in a slot of its own until it goes.
#[derive(Debug)]
pub(crate) struct DeviceTable<D> {
    slots: Box<[Slot<D>]>,
    /// The slot of the device that has the first turn.
    first: usize,
    /// The slot of the device that may be the first to keep the hardware busy.
    first_heavy: usize,
}

impl<D> DeviceTable<D> {
    /// An empty table. It takes all its memory here.
    pub(crate) fn new() -> Self {
        let keys = (0..MAX_DEVICES).map(|slot| DeviceKey { slot, generation: 0 });
        Self { slots: keys.map(|key| Slot { key, device: None }).collect(), first: 0, first_heavy: 0 }
    }

    /// Puts a device into a free slot. Returns whether there is one.
    pub(crate) fn insert(&mut self, device: impl FnOnce(DeviceKey) -> D) -> bool {
        let Some(slot) = self.slots.iter_mut().find(|slot| slot.device.is_none()) else { return false };
        slot.key.generation = slot.key.generation.wrapping_add(1);
        slot.device = Some(device(slot.key));
        true
    }

    /// Removes the first device for which `find` has a result, and returns that.
    pub(crate) fn remove_first<T>(&mut self, find: impl Fn(&D) -> Option<T>) -> Option<T> {
        self.slots.iter_mut().find_map(|slot| {
            let found = find(slot.device.as_ref()?)?;
            slot.device = None;
            Some(found)
        })
    }

    /// The device with this key, unless it has gone.
    pub(crate) fn get_mut(&mut self, key: DeviceKey) -> Option<&mut D> {
        let slot = self.slots.get_mut(key.slot).filter(|slot| slot.key == key)?;
        slot.device.as_mut()
    }

    /// The key of the device that has turn `turn` of [`MAX_DEVICES`], if it has one.
    pub(crate) fn key_at(&self, turn: usize) -> Option<DeviceKey> {
        let place = self.first.saturating_add(turn).checked_rem(self.slots.len())?;
        self.slots.get(place).filter(|slot| slot.device.is_some()).map(|slot| slot.key)
    }

    /// The key of the device that is number `turn` of [`MAX_DEVICES`] to keep the hardware busy, if it has one.
    pub(crate) fn heavy_key_at(&self, turn: usize) -> Option<DeviceKey> {
        let place = self.first_heavy.saturating_add(turn).checked_rem(self.slots.len())?;
        self.slots.get(place).filter(|slot| slot.device.is_some()).map(|slot| slot.key)
    }

    /// All devices with their keys, from the one that has the first turn.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (DeviceKey, &D)> {
        let (late, early) = self.slots.split_at(self.first.min(MAX_DEVICES));
        early.iter().chain(late).filter_map(|slot| Some((slot.key, slot.device.as_ref()?)))
    }

    /// All devices, from the one that has the first turn.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut D> {
        let (late, early) = self.slots.split_at_mut(self.first.min(MAX_DEVICES));
        early.iter_mut().chain(late).filter_map(|slot| slot.device.as_mut())
    }

    /// This device has kept the hardware busy: the next in the row may be the first.
    pub(crate) fn pass_heavy_turn_after(&mut self, key: DeviceKey) {
        self.first_heavy = key.slot.saturating_add(1).checked_rem(self.slots.len()).unwrap_or(0);
    }

    /// Gives the first turn to the next device.
    pub(crate) fn pass_turn(&mut self) {
        let next = self.iter().nth(1).map(|(key, _)| key.slot);
        self.first = next.unwrap_or(self.first);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// A table with these devices, and their keys.
    fn table(devices: &[u8]) -> (DeviceTable<u8>, Vec<DeviceKey>) {
        let mut table = DeviceTable::new();
        for device in devices {
            assert!(table.insert(|_| *device));
        }
        let keys = table.iter().map(|(key, _)| key).collect();
        (table, keys)
    }

    #[test]
    fn a_device_is_found_by_its_key_until_it_goes() {
        let (mut table, keys) = table(&[1, 2, 3]);
        assert_eq!(table.remove_first(|device| (*device == 2).then_some("gone")), Some("gone"));
        assert_eq!(table.remove_first(|device| (*device == 2).then_some("gone")), None);
        let found: Vec<_> = keys.iter().map(|key| table.get_mut(*key).copied()).collect();
        assert_eq!(found, [Some(1), None, Some(3)]);
    }

    #[test]
    fn a_key_never_finds_the_next_device_in_its_slot() {
        let (mut table, keys) = table(&[1]);
        table.remove_first(|_| Some(()));
        assert!(table.insert(|_| 2));
        let next: Vec<_> = table.iter().map(|(key, _)| key).collect();
        let found: Vec<_> =
            keys.iter().chain(&next).map(|key| (key.slot, table.get_mut(*key).copied())).collect();
        assert_eq!(found, [(0, None), (0, Some(2))]);
    }

    #[test]
    fn a_full_table_takes_no_device_until_one_goes() {
        let mut table = DeviceTable::new();
        for device in 0..MAX_DEVICES {
            assert!(table.insert(|_| device));
        }
        assert!(!table.insert(|_| 99));
        table.remove_first(|device| (*device == 7).then_some(()));
        assert!(table.insert(|_| 99));
    }

    #[test]
    fn each_device_has_the_first_turn_in_turn() {
        let (mut table, _) = table(&[1, 2, 3, 4]);
        table.remove_first(|device| (*device == 3).then_some(()));
        let mut firsts = Vec::new();
        for _ in 0..6 {
            firsts.extend(table.iter().next().map(|(_, device)| *device));
            table.pass_turn();
        }
        assert_eq!(firsts, [1, 2, 4, 1, 2, 4]);
        assert_eq!(table.iter().count(), 3);
        assert_eq!(table.iter_mut().count(), 3);
    }
}
