//! Broken rules of ownership.

use heapless::Vec;
use hyper::{DomainId, GrantRef};

/// Violations that are kept and logged. Later ones are only counted.
pub const KEPT_VIOLATIONS: usize = 32;

/// A rule of ownership that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A back end mapped a page that this guest has not granted to it for this access.
    MappedUngranted,
    /// A back end mapped a grant twice.
    MappedTwice,
    /// A back end unmapped a page that it has not mapped.
    UnmappedTwice,
    /// A back end unmapped a page under DMA. The unmap takes place.
    UnmappedUnderDma,
    /// A front end ended a mapped grant.
    RevokedWhileMapped,
    /// A front end ended a grant that has ended before, or is another domain's.
    RevokedTwice,
    /// A back end accessed a page after its unmap.
    TouchedAfterUnmap,
    /// A back end wrote to a read-only mapping. The page stays as it is.
    WroteReadOnly,
    /// A front end accessed a page after the end of its grant.
    TouchedAfterRevoke,
    /// The size of a buffer does not match its number of pages.
    BadBufferSize,
    /// A domain notified or closed a channel of another domain.
    ForeignChannel,
}

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The acting domain. A guest may be the cause: a back end maps the grants that a guest names.
    pub by: DomainId,
    /// The rule.
    pub rule: Rule,
    /// The grant; reference 0 if the rule concerns no grant.
    pub grant: GrantRef,
}

#[derive(Debug, Default)]
pub(crate) struct Violations {
    pub(crate) count: u32,
    pub(crate) kept: Vec<Violation, KEPT_VIOLATIONS>,
}

impl Violations {
    pub(crate) fn record(&mut self, by: DomainId, rule: Rule, grant: GrantRef) {
        self.count = self.count.saturating_add(1);
        if self.kept.push(Violation { by, rule, grant }).is_ok() {
            log::warn!("domain {}: {:?}, grant {}", by.0, rule, grant.0);
        }
    }
}
