//! Operations that take effect together or not at all.

use hyper::Nanos;

use super::error::{Refusal, RequestError, SubmitError};
use super::store::{Reply, Request, RequestId, Store, TransactionId};
use super::text::Path;

/// A step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// The node must exist, or nothing takes effect. So a directory that others removed stays
    /// removed.
    Expect(Path<'a>),
    /// Writes a value.
    Write(Path<'a>, &'a str),
}

impl<'a> Operation<'a> {
    fn request(self) -> Request<'a> {
        match self {
            Self::Expect(path) => Request::Read(path),
            Self::Write(path, value) => Request::Write(path, value),
        }
    }
}

/// Why a transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionError {
    /// A request in it failed.
    Request(RequestError),
    /// A request can never be sent.
    Submit(SubmitError),
    /// Others' changes interfered at every try.
    Contended,
}

/// Progress of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Pending.
    Pending,
    /// Done.
    Committed,
    /// A required node doesn't exist; nothing took effect.
    Missing,
    /// Failed. If the last request timed out or the connection broke, it may still have taken
    /// effect.
    Failed(TransactionError),
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Start,
    /// The step of that number.
    Step(TransactionId, usize),
    Commit(TransactionId),
    /// Drop the transaction, then report this.
    Drop(TransactionId, Progress),
    Ended(Progress),
}

/// A transaction: a list of operations that begins, runs and commits.
///
/// If others' changes interfere, it repeats a few times. One request at a time is pending. The
/// caller keeps the operations and passes the same ones at each call.
#[derive(Debug)]
pub struct Transaction {
    stage: Stage,
    awaited: Option<RequestId>,
    tries_left: u8,
    timeout_ns: u64,
}

impl Transaction {
    /// A transaction with up to `tries` tries (at least one). Each request has `timeout_ns` for
    /// its answer.
    pub fn new(tries: u8, timeout_ns: u64) -> Self {
        Self { stage: Stage::Start, awaited: None, tries_left: tries.saturating_sub(1), timeout_ns }
    }

    /// Sends the next request, if none is pending, and returns the progress.
    ///
    /// Call it after each turn of events until it is no longer [`Progress::Pending`]; otherwise
    /// xenstored keeps the transaction open.
    pub fn poll(&mut self, store: &mut Store<'_>, operations: &[Operation<'_>], now: Nanos) -> Progress {
        if self.awaited.is_some() {
            return Progress::Pending;
        }
        let (request, transaction) = match self.stage {
            Stage::Ended(progress) => return progress,
            Stage::Start => (Request::TransactionStart, None),
            Stage::Step(transaction, step) => match operations.get(step) {
                Some(operation) => (operation.request(), Some(transaction)),
                None => {
                    self.stage = Stage::Commit(transaction);
                    (Request::TransactionEnd { commit: true }, Some(transaction))
                }
            },
            Stage::Commit(transaction) => (Request::TransactionEnd { commit: true }, Some(transaction)),
            Stage::Drop(transaction, _) => (Request::TransactionEnd { commit: false }, Some(transaction)),
        };
        let deadline = Nanos(now.0.saturating_add(self.timeout_ns));
        match store.submit(request, transaction, deadline) {
            Ok(id) => self.awaited = Some(id),
            // Space will become free.
            Err(SubmitError::Full) => {}
            Err(error @ SubmitError::Broken) => {
                self.stage = Stage::Ended(Progress::Failed(TransactionError::Submit(error)));
            }
            // One of the operations failed: make xenstored drop the others.
            Err(error @ SubmitError::BadText(_)) => {
                let failed = Progress::Failed(TransactionError::Submit(error));
                self.stage = match transaction {
                    Some(transaction) => Stage::Drop(transaction, failed),
                    None => Stage::Ended(failed),
                };
                return if transaction.is_some() { self.poll(store, operations, now) } else { failed };
            }
        }
        match self.stage {
            Stage::Ended(progress) => progress,
            _ => Progress::Pending,
        }
    }

    /// The pending request.
    pub const fn awaited(&self) -> Option<RequestId> {
        self.awaited
    }

    /// Takes a reply if it is this transaction's; returns whether it is. Then call
    /// [`poll`](Self::poll).
    pub fn hear(
        &mut self,
        operations: &[Operation<'_>],
        id: RequestId,
        result: &Result<Reply<'_>, RequestError>,
    ) -> bool {
        if self.awaited != Some(id) {
            return false;
        }
        self.awaited = None;
        self.stage = self.after(operations, result);
        true
    }

    fn after(&mut self, operations: &[Operation<'_>], result: &Result<Reply<'_>, RequestError>) -> Stage {
        let failed = |error| Progress::Failed(TransactionError::Request(error));
        match (self.stage, result) {
            (Stage::Ended(progress), _) => Stage::Ended(progress),
            (Stage::Drop(_, progress), _) => Stage::Ended(progress),
            (Stage::Start, Ok(reply)) => match TransactionId::parse(reply) {
                Some(transaction) => Stage::Step(transaction, 0),
                None => Stage::Ended(failed(RequestError::Garbled)),
            },
            (Stage::Start, Err(error)) => Stage::Ended(failed(*error)),
            (Stage::Step(transaction, step), Ok(_)) => Stage::Step(transaction, step.saturating_add(1)),
            (Stage::Step(transaction, step), Err(error)) => {
                let is_gone = *error == RequestError::Refused(Refusal::NoEntry);
                match operations.get(step) {
                    Some(Operation::Expect(_)) if is_gone => Stage::Drop(transaction, Progress::Missing),
                    _ => Stage::Drop(transaction, failed(*error)),
                }
            }
            (Stage::Commit(_), Ok(_)) => Stage::Ended(Progress::Committed),
            (Stage::Commit(_), Err(RequestError::Refused(Refusal::Again))) => {
                match self.tries_left.checked_sub(1) {
                    Some(left) => {
                        self.tries_left = left;
                        Stage::Start
                    }
                    None => Stage::Ended(Progress::Failed(TransactionError::Contended)),
                }
            }
            (Stage::Commit(_), Err(error)) => Stage::Ended(failed(*error)),
        }
    }
}
