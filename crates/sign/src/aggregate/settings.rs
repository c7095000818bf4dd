//! What a configuration says of reports.

use std::path::PathBuf;

use conf::{Block, Mistake, Severity, View};

use crate::params::DmarcReports;

/// What is kept and sent, and in whose name.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Reports are sent.
    pub sends: bool,
    /// Who we are, for people.
    pub organization: String,
    /// From, and the sender that notices go to.
    pub sender: String,
    /// Our name in file names: `myhostname`.
    pub host: String,
    /// Addresses at which reports of others are read, in lower case.
    pub addresses: Vec<String>,
    /// The file of both.
    pub database: PathBuf,
}

impl Settings {
    /// Reads the parameters.
    pub fn read(view: &View, mistakes: &mut Vec<Mistake>) -> Settings {
        let read = DmarcReports::read(view, mistakes);
        let checks = view.get("sender_authentication").to_ascii_lowercase();
        if read.dmarc_reports && !checks.split([',', ' ', '\t', '\n']).any(|word| word == "dmarc") {
            let place = view.place("dmarc_reports");
            let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
            let text = "dmarc_reports: has no effect without \"dmarc\" in sender_authentication";
            mistakes.push(Mistake::new(Severity::Error, place, text.to_owned()));
        }
        Settings {
            sends: read.dmarc_reports,
            organization: read.dmarc_report_organization.trim().to_owned(),
            sender: read.dmarc_report_sender.trim().to_owned(),
            host: view.get("myhostname"),
            addresses: read.dmarc_report_addresses.iter().map(|one| one.to_lowercase()).collect(),
            database: read.dmarc_database,
        }
    }

    /// Is there anything to keep?
    pub fn any(&self) -> bool {
        self.sends || !self.addresses.is_empty()
    }
}
