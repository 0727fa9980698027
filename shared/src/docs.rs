//! The documents that the sources cite, as they stand in `shared/docs`: `facts/pd-tikv.md` is [`facts::pd_tikv`].

#[doc = include_str!("../docs/design.md")]
pub mod design {}

#[doc = include_str!("../docs/glossary.md")]
pub mod glossary {}

/// What the systems around us do, each fact with its public source.
pub mod facts {
    #[doc = include_str!("../docs/facts/pd-tikv.md")]
    pub mod pd_tikv {}

    #[doc = include_str!("../docs/facts/tidb-operator.md")]
    pub mod tidb_operator {}

    #[doc = include_str!("../docs/facts/topology.md")]
    pub mod topology {}

    #[doc = include_str!("../docs/facts/aws.md")]
    pub mod aws {}

    #[doc = include_str!("../docs/facts/ec2-wire.md")]
    pub mod ec2_wire {}

    #[doc = include_str!("../docs/facts/restore.md")]
    pub mod restore {}

    #[doc = include_str!("../docs/facts/tech.md")]
    pub mod tech {}
}
