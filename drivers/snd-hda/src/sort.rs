//! Sorting of a few.

/// Sorts by `key`; equal items stay in their order. For lists as short as a codec's pins: the library's sorts are made for
/// long ones, and are thirty times the code.
pub(crate) fn insertion_sort<T, K: Ord>(items: &mut [T], key: impl Fn(&T) -> K) {
    for end in 1..items.len() {
        for at in (1..=end).rev() {
            let Some([before, this]) = items.get_mut(at.saturating_sub(1)..=at) else { break };
            if key(before) <= key(this) {
                break;
            }
            core::mem::swap(before, this);
        }
    }
}
