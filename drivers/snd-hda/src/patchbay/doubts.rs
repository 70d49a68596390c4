//! What isn't known of the codecs' state, by the routes' places.

use crate::codec::MAX_ROUTES;

/// What isn't known of one route.
#[derive(Clone, Copy, Default)]
pub(super) struct Doubt {
    /// A verb has failed.
    pub(super) is_unsettled: bool,
    /// Failed tries since then.
    pub(super) tries: u8,
    /// Tags that the converter may have, a bit each.
    pub(super) tags: u16,
}

/// What isn't known of each route.
#[derive(Default)]
pub(super) struct Doubts {
    pub(super) routes: [Doubt; MAX_ROUTES],
    /// The route with which the next search begins.
    pub(super) next: u8,
}

impl Doubts {
    pub(super) fn of(&self, index: u8) -> Doubt {
        self.routes.get(usize::from(index)).copied().unwrap_or_default()
    }

    pub(super) fn change(&mut self, index: u8, change: impl FnOnce(&mut Doubt)) {
        if let Some(doubt) = self.routes.get_mut(usize::from(index)) {
            change(doubt);
        }
    }

    /// After a loss of all state, or of the link: no verb is missing. A converter keeps its tags until its codec is heard.
    pub(super) fn begin_anew(&mut self) {
        for doubt in &mut self.routes {
            *doubt = Doubt { tags: doubt.tags, ..Doubt::default() };
        }
    }

    /// A converter is about to get a tag.
    pub(super) fn add_tag(&mut self, index: u8, tag: u8) {
        self.change(index, |doubt| doubt.tags |= 1_u16.checked_shl(tag.into()).unwrap_or_default());
    }

    /// A converter has this tag and no other. 0: none.
    pub(super) fn set_tag(&mut self, index: u8, tag: u8) {
        self.change(index, |doubt| doubt.tags = 0);
        if tag != 0 {
            self.add_tag(index, tag);
        }
    }
}
