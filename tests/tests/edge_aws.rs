//! The AWS edge with the real SDK: EC2 against our own server, S3 and STS against moto, and against a script of replies
//! where moto never gives the answer that matters.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aws {
    pub(crate) mod bench;
    mod blocks;
    mod create;
    mod find;
    mod identity;
    mod objects;
    pub(crate) mod script;
    mod volumes;
}
