//! A coordinator as a program of its own, on a folder, and its console as another; no plane ever connects.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Far above what anything here takes.
const LIMIT: Duration = Duration::from_secs(60);

pub(crate) struct Serving {
    folder: TempDir,
    program: Child,
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn run(command: &mut Command) -> Output {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_coordinator"))
}

impl Serving {
    /// It leads when this returns. `more`: lines of its configuration.
    pub(crate) fn start(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir(at.join("objects")).unwrap();
        let pki = at.join("pki");
        run(program().args(["pki", "--dir"]).arg(&pki).arg("init"));
        run(program().args(["pki", "--dir"]).arg(&pki).args(["coordinator", "here", "--san", "localhost"]));
        let file = |name: &str| pki.join(name).display().to_string();
        let (ca, cert, key) = (file("ca.crt"), file("coordinator-here.crt"), file("coordinator-here.key"));
        let config = format!(
            "planes: [az1, az2]\nlisten: 127.0.0.1:0\nhttp: 127.0.0.1:0\nsocket: {}\ntls: {{ca: {ca}, cert: {cert}, key: {key}}}\n{more}",
            at.join("s").display()
        );
        fs::write(at.join("config.yaml"), config).unwrap();
        let program = program()
            .args(["serve", "--log", "info,coordinator=debug", "--config"])
            .arg(at.join("config.yaml"))
            .arg("--standalone")
            .arg(at.join("objects"))
            .env("AWS_SECRET_ACCESS_KEY", "planted-in-the-environment")
            .stderr(File::create(at.join("log")).unwrap())
            .spawn()
            .unwrap();
        let serving = Self { folder, program };
        serving.wait(&["backups"], |done| done.status.success());
        serving
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes an object of this name.
    pub(crate) fn write(&self, name: &str, manifest: &str) {
        let fresh = self.path("fresh");
        fs::write(&fresh, manifest).unwrap();
        fs::rename(fresh, self.path("objects").join(format!("{name}.yaml"))).unwrap();
    }

    /// The console, by the socket.
    pub(crate) fn command(&self) -> Command {
        let mut command = program();
        command.args(["console", "--socket"]).arg(self.path("s")).current_dir(self.folder.path());
        command.env("XDG_CONFIG_HOME", self.path("home")).env("XDG_STATE_HOME", self.path("home"));
        command
    }

    pub(crate) fn console(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// Asks until it is so.
    pub(crate) fn wait(&self, args: &[&str], fits: impl Fn(&Output) -> bool) -> Output {
        let begun = Instant::now();
        loop {
            let done = self.console(args);
            if fits(&done) {
                return done;
            }
            let log = || fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(begun.elapsed() < LIMIT, "{args:?}: {done:?}\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A VolumeBackup of the planes that never connect.
pub(crate) fn manifest(name: &str, option: &str) -> String {
    format!(
        "apiVersion: federation.pingcap.com/v1alpha1\nkind: VolumeBackup\nmetadata: {{name: {name}, namespace: br-admin}}\n\
         spec:\n  clusters:\n  - {{k8sClusterName: az1, tcName: shop, tcNamespace: tidb}}\n  \
         - {{k8sClusterName: az2, tcName: shop, tcNamespace: tidb}}\n  template:\n    br: {{options: ['{option}']}}\n    \
         s3: {{provider: aws, region: eu-west-1, bucket: b, prefix: {name}}}\n    cleanPolicy: Delete\n"
    )
}

/// What a file holds.
pub(crate) fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}
