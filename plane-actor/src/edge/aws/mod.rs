//! EC2, EBS direct, S3 and STS through the AWS SDK: [`AwsCloud`] is the port [`CloudConnect`](crate::ports::CloudConnect).
//!
//! The SDK's defaults fit neither end of a barrier: without limits a call may hang for ever, and with its retries a lost
//! reply doubles a set of snapshots (`facts/aws.md` A4, A10, C). So every call here has a time limit per attempt and in
//! all, and the two mutating EC2 calls are sent exactly once.

mod connect;
mod ebs;
mod ec2;
mod errors;
mod identity;
mod limits;
mod renewing;
mod s3;
mod sts;

pub use connect::{AwsCloud, AwsConfig};
