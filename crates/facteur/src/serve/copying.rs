//! What `sync_files` names is copied at intervals while the program runs.

use std::time::Duration;

use conf::{Block, View};
use tables::params::Copies;
use tables::sync::{self, Plan};
use tokio::task::JoinHandle;

/// The task that copies; it ends with this.
#[derive(Default)]
pub struct Copying(Option<JoinHandle<()>>);

impl Copying {
    /// Begins, where anything is to be copied; the first time at once.
    pub fn begin(view: &View) -> Copying {
        let copies = Copies::read(view, &mut Vec::new());
        if copies.sync_files.is_empty() {
            return Copying(None);
        }
        let pause = copies.sync_interval.max(Duration::from_secs(1));
        Copying(Some(tokio::spawn(async move {
            loop {
                for file in &copies.sync_files {
                    copy(file).await;
                }
                tokio::time::sleep(pause).await;
            }
        })))
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// One run; the plan is read each time, so that a change of it needs no reload.
async fn copy(file: &str) {
    let path = file.to_owned();
    let plan = tokio::task::spawn_blocking(move || Plan::read(&path)).await;
    let plan = match plan.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(plan) => plan,
        Err(what) => {
            log::warn!(target: "sync", "{what}");
            return;
        }
    };
    match sync::run(&plan, true).await {
        Ok(reports) => {
            reports.iter().for_each(|report| log::info!(target: "sync", "{file}: {}", report.done()))
        }
        Err(trouble) => log::warn!(target: "sync", "{file}: {trouble}"),
    }
}
