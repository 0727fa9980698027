//! `plane-actor preflight`: what a backup would need, checked from this plane; nothing is changed.

use crate::{
    settings::{Common, plane_config, settings},
    wiring,
};
use clap::Args;
use shared::request::{Credentials, ForeignRole, Limits, MemberSpec, S3Target, SizeLevel};
use tokio::task::LocalSet;

#[derive(Args)]
pub(crate) struct PreflightArgs {
    #[command(flatten)]
    common: Common,
    /// tcNamespace.
    #[arg(long)]
    namespace: String,
    /// tcName.
    #[arg(long)]
    cluster: String,
    /// spec.template.s3.bucket
    #[arg(long, default_value = "")]
    bucket: String,
    /// spec.template.s3.prefix
    #[arg(long, default_value = "")]
    prefix: String,
    /// spec.template.s3.region
    #[arg(long, default_value = "")]
    region: String,
    /// spec.template.s3.endpoint
    #[arg(long, default_value = "")]
    endpoint: String,
    /// spec.template.s3.secretName
    #[arg(long, conflicts_with_all = ["service_account", "role"])]
    secret: Option<String>,
    /// spec.template.serviceAccount
    #[arg(long, conflicts_with = "role")]
    service_account: Option<String>,
    /// Annotation iam.amazonaws.com/role.
    #[arg(long)]
    role: Option<String>,
    /// What that role's trust policy asks for, as annotation isochron.pingcap.com/role-external-id.
    #[arg(long, default_value = "", requires = "role")]
    role_external_id: String,
    /// As spec.template.s3.bucketOwner: account that must own the bucket.
    #[arg(long, default_value = "")]
    bucket_owner: String,
    /// As --s3.role-arn in spec.template.br.options: assumed for the bucket alone.
    #[arg(long)]
    bucket_role: Option<String>,
    /// As --s3.external-id.
    #[arg(long, default_value = "", requires = "bucket_role")]
    bucket_external_id: String,
    /// This plane is spec.clusters[0].
    #[arg(long)]
    init: bool,
    /// As spec.barrier.allowWeakerHolds: TiKV that is too old for a full hold is no fault.
    #[arg(long)]
    allow_weaker_holds: bool,
    /// One JSON array instead of lines.
    #[arg(long)]
    json: bool,
}

impl PreflightArgs {
    fn spec(&self, plane: &str) -> MemberSpec {
        let storage = S3Target {
            provider: "aws".to_owned(),
            region: self.region.clone(),
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone(),
            endpoint: self.endpoint.clone(),
            force_path_style: true,
            acl: String::new(),
            sse: String::new(),
            storage_class: String::new(),
            kms_key: String::new(),
            bucket_owner: self.bucket_owner.clone(),
            role: self.bucket_role.clone().map(|arn| ForeignRole { arn, external_id: self.bucket_external_id.clone() }),
        };
        let credentials = match (&self.secret, &self.role, &self.service_account) {
            (Some(name), _, _) => Credentials::Secret(name.clone()),
            (_, Some(arn), _) => Credentials::Role(arn.clone()),
            (_, _, Some(name)) => Credentials::ServiceAccount(name.clone()),
            _ => Credentials::Default,
        };
        MemberSpec {
            backup_name: "preflight".to_owned(),
            backup_namespace: self.namespace.clone(),
            tc_name: self.cluster.clone(),
            tc_namespace: self.namespace.clone(),
            init: self.init,
            storage: storage.of_plane(&shared::ids::PlaneId::new(plane)),
            credentials,
            role_external_id: self.role_external_id.clone(),
            size_level: SizeLevel::None,
            delete_ratio_milli: 1000,
            limits: Limits::default(),
            allow_weaker_holds: self.allow_weaker_holds,
        }
    }
}

/// True if a backup would find everything that it needs here.
pub(crate) fn main(args: &PreflightArgs) -> anyhow::Result<bool> {
    let settings = settings(&args.common)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checks = LocalSet::new().block_on(&runtime, async {
        let ports = wiring::ports(&settings, None).await?;
        plane_actor::check(plane_config(&settings), ports, &args.spec(&settings.plane)).await
    })?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&checks)?);
    } else {
        for check in &checks {
            let took = check.took.0;
            match &check.result {
                Ok(found) => {
                    println!("ok      {} ({took} ms): {found}", check.what);
                    if let Some(warning) = &check.warning {
                        println!("        {warning}\n        {}", warning.reason.action());
                    }
                }
                Err(refusal) => {
                    println!("REFUSED {} ({took} ms): {refusal}\n        {}", check.what, refusal.reason.action());
                }
            }
        }
    }
    Ok(checks.iter().all(|check| check.result.is_ok()))
}
