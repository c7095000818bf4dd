//! Public test suites, kept beside the repository: in the folder `FACTEUR_VECTORS` names, or in `../shared/vectors`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A suite as JSON, all documents of its file. `None`, with the reason, when it or what reads it is not here.
pub fn suite(name: &str) -> Option<Vec<Value>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let folder = std::env::var_os("FACTEUR_VECTORS").map_or(beside, PathBuf::from);
    let path = folder.join(name);
    if !path.exists() {
        eprintln!("skipped: there is no {}", path.display());
        return None;
    }
    let script = "import json,sys,yaml\n\
                  print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1]))), default=str))";
    let out = Command::new("python3").args(["-c", script]).arg(&path).output().ok()?;
    let read = serde_json::from_slice(&out.stdout).ok();
    if read.is_none() {
        eprintln!("skipped: python3 with its yaml module cannot read {}", path.display());
    }
    read
}
