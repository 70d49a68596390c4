//! A guest's buffer, as the driver takes it.

use hyper::MappedBuffer;
use snd_hda::DmaBuffer;

/// A guest's mapped buffer for the driver: addresses and a length.
pub(crate) struct Pages<B>(pub(crate) B);

impl<B: MappedBuffer> DmaBuffer for Pages<B> {
    fn page_addresses(&self) -> &[u64] {
        self.0.page_addresses()
    }

    fn size_bytes(&self) -> u32 {
        self.0.size_bytes()
    }
}
