//! A small sort for short lists.

/// Sorts by `key`; equal items keep their order.
///
/// A codec has few pins. The library's sorts suit long lists and take thirty times the code.
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
