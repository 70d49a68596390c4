//! Some operations that take effect together or not at all.

use hyper::Nanos;

use super::error::{Refusal, RequestError, SubmitError};
use super::store::{Reply, Request, RequestId, Store, TransactionId};
use super::text::Path;

/// A step of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// The node must exist, or nothing is done. So a directory that others have removed stays removed.
    Expect(Path<'a>),
    /// Writes a value.
    Write(Path<'a>, &'a str),
    /// Removes a node and all below it.
    Remove(Path<'a>),
}

impl<'a> Operation<'a> {
    fn request(self) -> Request<'a> {
        match self {
            Self::Expect(path) => Request::Read(path),
            Self::Write(path, value) => Request::Write(path, value),
            Self::Remove(path) => Request::Remove(path),
        }
    }
}

/// Why a transaction was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionError {
    /// A request in it failed.
    Request(RequestError),
    /// A request can't be sent, ever.
    Submit(SubmitError),
    /// Others' changes came between at every try.
    Contended,
}

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Under way.
    Pending,
    /// Done.
    Committed,
    /// A node that was expected isn't there; nothing was done.
    Missing,
    /// Not done; but if the last request timed out or the connection broke, that isn't known.
    Failed(TransactionError),
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Start,
    /// Step of that number.
    Step(TransactionId, usize),
    Commit(TransactionId),
    /// Drop it, then say this.
    Drop(TransactionId, Progress),
    Ended(Progress),
}

/// A transaction: a list of operations, begun, done and committed; and all over again, a few times at most, if others'
/// changes came between.
///
/// One request at a time is under way. The caller keeps the operations and gives the same ones at each call.
#[derive(Debug)]
pub struct Transaction {
    stage: Stage,
    awaited: Option<RequestId>,
    tries_left: u8,
    timeout_ns: u64,
}

impl Transaction {
    /// A transaction that is tried up to `tries` times (at least once); each request in it has `timeout_ns` to be answered.
    pub fn new(tries: u8, timeout_ns: u64) -> Self {
        Self { stage: Stage::Start, awaited: None, tries_left: tries.saturating_sub(1), timeout_ns }
    }

    /// Sends the next request, if none is under way, and says how far it has come. Call it after each turn of events; until
    /// it is no longer [`Progress::Pending`], or else xenstored keeps the transaction open.
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
            // There will be room some time.
            Err(SubmitError::Full) => {}
            Err(error @ SubmitError::Broken) => {
                self.stage = Stage::Ended(Progress::Failed(TransactionError::Submit(error)));
            }
            // One of the operations; then xenstored is to forget the others.
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

    /// The request under way.
    pub const fn awaited(&self) -> Option<RequestId> {
        self.awaited
    }

    /// Takes note of a reply, if it is this transaction's; returns whether it is. [`poll`](Self::poll) is due then.
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
