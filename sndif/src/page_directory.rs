//! The page directory: the chain of shared pages that lists a buffer's grant references (sndif.h,
//! `struct xensnd_page_directory`).

/// A grant reference as a guest states it: an allegation, no proof that the guest granted anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GrantRef(pub u32);
