//! EBS direct on the wire: GET, and JSON or a block (`facts/ec2-wire.md` §1, §2; `facts/aws.md` A13).

use super::{
    Ec2Handle,
    fault::{ApiError, Fault},
    world::{Headers, World},
};
use crate::models::ec2::{BLOCK_BYTES, Block, BlockData, Home};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, io, time::Duration};
use tokio::time::sleep;

/// By which every block of a listing may be asked for.
const TOKEN: &str = "AAAB";
/// `maxResults` that EBS takes.
const PAGE: std::ops::RangeInclusive<u64> = 100..=10_000;

/// One question.
pub(super) struct Question {
    action: &'static str,
    snapshot: String,
    /// Of a single block.
    index: u64,
    query: BTreeMap<String, String>,
}

impl Question {
    /// `None`: no path of EBS direct.
    pub(super) fn read(path: &str, query: &str) -> Option<Self> {
        let (snapshot, what) = path.strip_prefix("/snapshots/")?.split_once('/')?;
        let (action, index) = match (what, what.strip_prefix("blocks/")) {
            ("blocks", _) => ("ListSnapshotBlocks", 0),
            ("changedblocks", _) => ("ListChangedBlocks", 0),
            (_, Some(index)) => ("GetSnapshotBlock", index.parse().ok()?),
            _ => return None,
        };
        let query = query.split('&').filter_map(|pair| pair.split_once('='));
        let query = query.map(|(name, value)| (name.to_owned(), value.replace("%3D", "="))).collect();
        Some(Self { action, snapshot: snapshot.to_owned(), index, query })
    }
}

/// What is answered.
pub(super) enum Answer {
    /// A page.
    Page(Value),
    /// A block, and its sum.
    Block(Vec<u8>, String),
}

/// The whole way of one call. `Err`: its reply is lost.
pub(super) async fn answer(
    handle: &Ec2Handle,
    headers: &Headers,
    question: &Question,
) -> Result<Result<Answer, ApiError>, io::Error> {
    let fault = handle.world().fault(question.action);
    if let Some(Fault::SlowStart(delay)) = fault {
        sleep(delay).await;
    }
    let now = handle.now();
    let answer = {
        let mut world = handle.world();
        let answer = world.asked(now, headers, question, fault.as_ref());
        let fields = question.query.clone().into_iter().chain([("snapshotId".to_owned(), question.snapshot.clone())]);
        world.record(question.action.to_owned(), now, headers, fields.collect(), answer.as_ref().map(|_| ()));
        answer
    };
    match fault {
        Some(Fault::LostReply) => Err(io::Error::other("the reply is lost, as planned")),
        Some(Fault::SlowReply(delay)) => {
            sleep(delay).await;
            Ok(answer)
        }
        _ => Ok(answer),
    }
}

impl World {
    fn asked(
        &mut self,
        now: Duration,
        headers: &Headers,
        question: &Question,
        fault: Option<&Fault>,
    ) -> Result<Answer, ApiError> {
        let home = self.caller(now, &headers.authorization, "ebs").map_err(|error| match error.code.as_str() {
            "AuthFailure" => ApiError::with(403, "UnrecognizedClientException", error.message),
            "RequestExpired" => ApiError::with(403, "ExpiredTokenException", error.message),
            _ => error,
        })?;
        self.state
            .ec2
            .draw(now, &home, question.action)
            .map_err(|refusal| ApiError::with(400, "ThrottlingException", refusal.message))?;
        if let Some(Fault::Refuse { status, code, message }) = fault {
            return Err(ApiError::with(*status, code, message));
        }
        if self.denied.contains(question.action) {
            let message = format!("User is not authorized to perform: ebs:{}", question.action);
            return Err(ApiError::with(403, "AccessDeniedException", message));
        }
        if question.action == "GetSnapshotBlock" {
            self.block(now, &home, question)
        } else {
            self.page(now, &home, question)
        }
    }

    fn block(&self, now: Duration, home: &Home, question: &Question) -> Result<Answer, ApiError> {
        if question.query.get("blockToken").is_none_or(|token| token != TOKEN) {
            return Err(ApiError::client("ValidationException", "INVALID_BLOCK_TOKEN"));
        }
        let BlockData { data, summed } =
            self.ec2().block(now, home, &question.snapshot, question.index).map_err(refused)?;
        Ok(Answer::Block(data, BASE64_STANDARD.encode(Sha256::digest(&summed))))
    }

    fn page(&self, now: Duration, home: &Home, question: &Question) -> Result<Answer, ApiError> {
        let number = |name: &str| question.query.get(name).and_then(|text| text.parse().ok());
        let size = number("maxResults").unwrap_or(*PAGE.end());
        if !PAGE.contains(&size) {
            return Err(ApiError::client("ValidationException", "maxResults is between 100 and 10000"));
        }
        let token = question.query.get("pageToken").and_then(|token| token.strip_suffix('=')?.parse().ok());
        let first = question.query.get("firstSnapshotId").map(String::as_str);
        let changed = question.action == "ListChangedBlocks";
        if changed != first.is_some() {
            return Err(ApiError::client("ValidationException", "firstSnapshotId"));
        }
        let from = token.unwrap_or_default();
        let page = self.ec2().block_page(now, home, first, &question.snapshot, (from, size)).map_err(refused)?;
        let blocks: Vec<Value> = page.blocks.iter().map(|block| written(block, changed)).collect();
        Ok(Answer::Page(json!({
            (if changed { "ChangedBlocks" } else { "Blocks" }): blocks,
            "BlockSize": BLOCK_BYTES,
            "ExpiryTime": 4_102_444_800.5,
            "NextToken": page.next.map(|next| format!("{next}=")),
        })))
    }
}

fn refused(refusal: crate::models::ec2::Refusal) -> ApiError {
    let status = if refusal.code == "ResourceNotFoundException" { 404 } else { 400 };
    ApiError::with(status, refusal.code, refusal.message)
}

/// A block of only one snapshot has only that one's token.
fn written(block: &Block, changed: bool) -> Value {
    let mut row = json!({ "BlockIndex": block.index });
    if !changed {
        row["BlockToken"] = json!(TOKEN);
        return row;
    }
    if block.in_first {
        row["FirstBlockToken"] = json!("AAAB");
    }
    if block.in_second {
        row["SecondBlockToken"] = json!("AAAC");
    }
    row
}

/// A refusal's body; the code goes into a header.
pub(super) fn body(error: &ApiError) -> Value {
    json!({ "Message": error.message, "Reason": error.message })
}
