//! Broken rules of ownership: counted, logged, kept.

use heapless::Vec;
use hyper::{DomainId, GrantRef};

/// Violations of which the particulars are kept; later ones are only counted.
pub const KEPT_VIOLATIONS: usize = 32;

/// A rule of ownership that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A back end mapped what isn't granted: by that guest, to that domain, for that access.
    MappedUngranted,
    /// A back end mapped a grant that it has mapped already.
    MappedTwice,
    /// A back end unmapped what it hasn't mapped, or no more.
    UnmappedTwice,
    /// A back end unmapped a page that the controller is running over. It is unmapped all the same.
    UnmappedUnderDma,
    /// A front end ended a grant that is still mapped.
    RevokedWhileMapped,
    /// A front end ended a grant that isn't its own, or no more.
    RevokedTwice,
    /// A back end touched a page after it unmapped it.
    TouchedAfterUnmap,
    /// A back end wrote a page that it had mapped for reading only. It stays as it was.
    WroteReadOnly,
    /// A front end touched a page after it ended its grant.
    TouchedAfterRevoke,
    /// A buffer was mapped with more octets, or fewer, than its pages hold.
    BadBufferSize,
    /// An event was sent to a channel, or a channel closed, that isn't this domain's.
    ForeignChannel,
}

/// Who broke which rule, and with which grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The domain that did it. It need not be to blame: a back end maps what a guest told it to.
    pub by: DomainId,
    /// The rule.
    pub rule: Rule,
    /// The grant; reference 0 where it is about no grant.
    pub grant: GrantRef,
}

#[derive(Debug)]
pub(crate) struct Violations {
    count: u32,
    kept: Vec<Violation, KEPT_VIOLATIONS>,
}

impl Violations {
    pub(crate) const fn new() -> Self {
        Self { count: 0, kept: Vec::new() }
    }

    pub(crate) fn record(&mut self, by: DomainId, rule: Rule, grant: GrantRef) {
        self.count = self.count.saturating_add(1);
        if self.kept.push(Violation { by, rule, grant }).is_ok() {
            log::warn!("domain {}: {:?}, grant {}", by.0, rule, grant.0);
        }
    }

    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    pub(crate) fn kept(&self) -> Vec<Violation, KEPT_VIOLATIONS> {
        self.kept.clone()
    }
}
