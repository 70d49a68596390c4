//! Requests to xenstored, one after the other, each with a deadline.

use hyper::Nanos;
use xen_guest::xenstore::{BadText, Refusal, Reply, Request, RequestError, RequestId, Store, SubmitError};

/// How long xenstored has for an answer. libxl gives a back end ten seconds for each of its steps.
pub(super) const REQUEST_TIMEOUT_NS: u64 = 2_000_000_000;

/// How long until the first try after one that failed; the wait doubles with each further one.
const RETRY_NS_MIN: u64 = 50_000_000;

/// The longest wait between two tries.
const RETRY_NS_MAX: u64 = 5_000_000_000;

/// How a request ended.
pub(super) enum Answer<'a> {
    /// It was done.
    Done(Reply<'a>),
    /// There is no such node.
    Missing,
    /// This domain has no right to it. xenstored says so of missing nodes too, where the directory above can't be read.
    Denied,
    /// xenstored refuses for another reason.
    Refused(Refusal),
    /// There is no answer, or none that makes sense: it is worth another try, once [`Asking::may_ask`] allows it.
    Lost(RequestError),
}

impl<'a> Answer<'a> {
    fn new(result: &Result<Reply<'a>, RequestError>) -> Self {
        match *result {
            Ok(reply) => Self::Done(reply),
            Err(RequestError::Refused(Refusal::NoEntry)) => Self::Missing,
            Err(RequestError::Refused(Refusal::Access | Refusal::Permission)) => Self::Denied,
            Err(RequestError::Refused(refusal)) => Self::Refused(refusal),
            Err(error) => Self::Lost(error),
        }
    }
}

/// The wait before the next try, longer after each failure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BackOff {
    failures: u8,
    until: Nanos,
}

impl BackOff {
    pub(super) fn failed(&mut self, now: Nanos) {
        let doubled = RETRY_NS_MIN.saturating_mul(1u64.wrapping_shl(self.failures.min(20).into()));
        self.until = Nanos(now.0.saturating_add(doubled.min(RETRY_NS_MAX)));
        self.failures = self.failures.saturating_add(1);
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn is_over(&self, now: Nanos) -> bool {
        now >= self.until
    }

    /// When the next try is due, if that is later than `now`.
    pub(super) fn due(&self, now: Nanos) -> Option<Nanos> {
        (self.until > now).then_some(self.until)
    }
}

/// One who asks: at most one of its requests is under way.
///
/// So many who ask can't take more of xenstored than a request each, and none of them needs a queue.
#[derive(Debug, Default)]
pub(super) struct Asking {
    awaited: Option<RequestId>,
    back_off: BackOff,
}

impl Asking {
    /// Whether a request may be sent now: none is under way, and the last failure was long enough ago.
    pub(super) fn may_ask(&self, now: Nanos) -> bool {
        self.awaited.is_none() && self.back_off.is_over(now)
    }

    /// Whether an answer is to come.
    pub(super) fn awaits(&self) -> bool {
        self.awaited.is_some()
    }

    /// Sends a request. Returns whether it was sent; if not, there is no room, or the connection is broken.
    ///
    /// # Errors
    /// If it can't be sent, ever.
    pub(super) fn ask(
        &mut self,
        store: &mut Store<'_>,
        request: Request<'_>,
        now: Nanos,
    ) -> Result<bool, BadText> {
        let deadline = Nanos(now.0.saturating_add(REQUEST_TIMEOUT_NS));
        match store.submit(request, None, deadline) {
            Ok(id) => {
                self.awaited = Some(id);
                Ok(true)
            }
            Err(SubmitError::BadText(bad)) => {
                self.back_off.failed(now);
                Err(bad)
            }
            // Where there is no room, answers are to come, and each one is a reason to be called.
            Err(_) => Ok(false),
        }
    }

    /// The answer, if that is one to this one's request.
    pub(super) fn hear<'a>(
        &mut self,
        id: RequestId,
        result: &Result<Reply<'a>, RequestError>,
        now: Nanos,
    ) -> Option<Answer<'a>> {
        if self.awaited != Some(id) {
            return None;
        }
        self.awaited = None;
        let answer = Answer::new(result);
        match answer {
            Answer::Lost(_) | Answer::Refused(_) => self.back_off.failed(now),
            Answer::Done(_) => self.back_off.succeeded(),
            // What that means is for whoever has asked to say.
            Answer::Missing | Answer::Denied => {}
        }
        Some(answer)
    }

    /// An answer that looked well wasn't: the next try waits.
    pub(super) fn failed(&mut self, now: Nanos) {
        self.back_off.failed(now);
    }

    /// When a request may be sent, if it may not yet.
    pub(super) fn due(&self, now: Nanos) -> Option<Nanos> {
        if self.awaited.is_some() { None } else { self.back_off.due(now) }
    }
}
