//! cleanup's part of one configuration.

use std::sync::Arc;

use conf::{Block, Mistake, Severity, View};
use filter::checks::Checks;
use filter::milter::Milters;
use mail::{Address, Refusal};
use route::{Context, Router};
use scan::Scanner;
use scan::attachments::Attachments;
use sign::srs::Srs;
use tables::Tables;

use super::characters::Characters;
use super::cleaning::Cleaning;
use super::header::Rules;
use super::{Intake, Sink};
use crate::dmarc_reports::Reports;
use crate::params::Cleanup;
use crate::scanning::SpamGate;
use crate::vouching::Vouching;

/// cleanup's part of one configuration. Cheap to share in an `Arc`; never changes.
pub struct Cleaner {
    pub(super) router: Arc<Router>,
    pub(super) host: String,
    pub(super) settings: Cleanup,
    pub(super) undisclosed: Vec<u8>,
    pub(super) empty_address_recipient: Address,
    pub(super) always_bcc: Option<Address>,
    pub(super) enable_original_recipient: bool,
    pub(super) duplicate_filter_limit: usize,
    pub(super) hopcount_limit: usize,
    pub(super) message_size_limit: u64,
    pub(super) header_size_limit: usize,
    pub(super) token_limit: usize,
    pub(super) line_limit: usize,
    pub(super) ignores_mime: bool,
    pub(super) nesting_limit: usize,
    pub(super) boundary_limit: usize,
    pub(super) long_ids: bool,
    pub(super) smtputf8: bool,
    pub(super) detect_8bit: bool,
    pub(super) characters: Characters,
    pub(super) strict: Strict,
    pub(super) checks: Option<Arc<Checks>>,
    /// `milter_header_checks`
    pub(crate) milter_checks: Option<Arc<Checks>>,
    /// `non_smtpd_milters`
    pub(crate) milters: Option<Milters>,
    /// Checks of senders, and signatures.
    pub(crate) vouching: Option<Arc<Vouching>>,
    /// Finds viruses.
    pub(crate) scanners: Vec<Scanner>,
    /// Looks at attached files.
    pub(crate) attachments: Option<Attachments>,
    /// Judges whether it is spam.
    pub(crate) spam: Option<SpamGate>,
    /// Reports of DMARC.
    pub(crate) reports: Option<Arc<Reports>>,
    /// Knows who stands behind our forwarding addresses.
    pub(super) srs: Option<Srs>,
}

/// What is refused of text that is not ASCII, and of encodings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strict {
    /// `strict_7bit_headers`
    pub headers: bool,
    /// `strict_8bitmime_body`
    pub bodies: bool,
    /// `strict_mime_encoding_domain`
    pub encodings: bool,
}

impl Strict {
    fn new(mime: &filter::params::Mime) -> Strict {
        if mime.disable_mime_input_processing {
            return Strict::default();
        }
        Strict {
            headers: mime.strict_7bit_headers || mime.strict_8bitmime,
            bodies: mime.strict_8bitmime_body || mime.strict_8bitmime,
            encodings: mime.strict_mime_encoding_domain,
        }
    }

    /// Is anything refused?
    pub fn any(self) -> bool {
        self.headers || self.bodies || self.encodings
    }
}

impl Cleaner {
    /// Reads the parameters of one cleanup service.
    pub fn new(view: &View, tables: &Tables, router: &Arc<Router>, mistakes: &mut Vec<Mistake>) -> Cleaner {
        let mut settings = Cleanup::read(view, mistakes);
        let mime = filter::params::Mime::read(view, mistakes);
        let checks = filter::params::Checks::read(view, mistakes);
        let checks = Checks::receiving(view, &checks, tables, mistakes);
        let milter_checks = Checks::of_milters(view, tables, mistakes);
        let storage = queue::params::Storage::read(view, mistakes);
        for name in &mut settings.message_drop_headers {
            *name = name.trim_end_matches(':').to_ascii_lowercase();
        }
        let always_bcc = Some(settings.always_bcc.trim()).filter(|address| !address.is_empty());
        Cleaner {
            host: view.get("myhostname"),
            undisclosed: undisclosed(view, &settings, mistakes),
            empty_address_recipient: view.get("empty_address_recipient").into(),
            always_bcc: always_bcc.map(Address::from),
            enable_original_recipient: settings.enable_original_recipient,
            duplicate_filter_limit: size(settings.duplicate_filter_limit),
            hopcount_limit: size(settings.hopcount_limit),
            message_size_limit: storage.message_size_limit,
            header_size_limit: usize::try_from(mime.header_size_limit).unwrap_or(usize::MAX).max(1),
            token_limit: size(mime.header_address_token_limit),
            line_limit: size(settings.line_length_limit),
            ignores_mime: mime.disable_mime_input_processing,
            nesting_limit: size(mime.mime_nesting_limit),
            boundary_limit: size(mime.mime_boundary_length_limit),
            long_ids: storage.enable_long_queue_ids,
            smtputf8: view.get("smtputf8_enable") == "yes",
            detect_8bit: mime.detect_8bit_encoding_header,
            characters: Characters::new(
                &settings.message_reject_characters,
                &settings.message_strip_characters,
            ),
            strict: Strict::new(&mime),
            checks: (!checks.is_empty()).then(|| Arc::new(checks)),
            milter_checks: (!milter_checks.is_empty()).then(|| Arc::new(milter_checks)),
            milters: None,
            vouching: None,
            scanners: Vec::new(),
            attachments: None,
            spam: None,
            reports: None,
            srs: Srs::read(view, mistakes),
            router: router.clone(),
            settings,
        }
    }

    /// Has these milters see mail that does not come by SMTP.
    pub fn with_milters(mut self, milters: Milters) -> Cleaner {
        self.milters = Some(milters).filter(|milters| !milters.is_empty());
        self
    }

    /// Has senders checked and our own mail signed.
    pub fn with_vouching(mut self, vouching: Option<Arc<Vouching>>) -> Cleaner {
        self.vouching = vouching;
        self
    }

    /// Has every message shown to these scanners.
    pub fn with_scanners(mut self, scanners: Vec<Scanner>) -> Cleaner {
        self.scanners = scanners;
        self
    }

    /// Has attached files looked at.
    pub fn with_attachments(mut self, attachments: Option<Attachments>) -> Cleaner {
        self.attachments = attachments;
        self
    }

    /// Has mail from strangers judged.
    pub(crate) fn with_spam_gate(mut self, spam: Option<SpamGate>) -> Cleaner {
        self.spam = spam;
        self
    }

    /// Has reports of DMARC kept.
    pub(crate) fn with_reports(mut self, reports: Option<Arc<Reports>>) -> Cleaner {
        self.reports = reports;
        self
    }

    /// Starts a message: its envelope is rewritten at once.
    ///
    /// A refusal that this leads to, such as a failing table, is told by `feed` and `finish`, as an SMTP client
    /// hears of it. What is returned owns its share of the configuration: a session keeps it across its own steps.
    pub async fn begin<S: Sink>(self: &Arc<Self>, intake: Intake, sink: S) -> Result<Cleaning<S>, Refusal> {
        Ok(Cleaning::begin(self.clone(), intake, sink).await)
    }

    /// How the headers of such a message are rewritten; `None` when they stay as they are, and incomplete.
    pub(super) fn rules(&self, local: bool, mappings: bool) -> Option<Rules> {
        let context = if local { Context::Local } else { Context::Remote };
        let applies = self.router.rewrites(context);
        applies.then_some(Rules { context, mappings, token_limit: self.token_limit })
    }

    /// Is SMTPUTF8 found out by looking at mail of this origin (`smtputf8_autodetect_classes`)?
    pub(super) fn detects_utf8(&self, origin: &str) -> bool {
        let class = match origin {
            "pickup" => "sendmail",
            "local" => "forward",
            other => other,
        };
        let classes = &self.settings.smtputf8_autodetect_classes;
        classes.iter().any(|name| name.eq_ignore_ascii_case(class) || name.eq_ignore_ascii_case("all"))
    }
}

/// `undisclosed_recipients_header`, which must be a header if it is anything.
fn undisclosed(view: &View, settings: &Cleanup, mistakes: &mut Vec<Mistake>) -> Vec<u8> {
    let text = &settings.undisclosed_recipients_header;
    if text.is_empty() || mail::header::name_end(text.as_bytes()).is_some() {
        return text.as_bytes().to_vec();
    }
    let place = view.place("undisclosed_recipients_header");
    let place = place.as_ref().map(|(file, line)| (file.as_path(), *line));
    mistakes.push(Mistake::new(
        Severity::Error,
        place,
        format!("bad undisclosed_recipients_header text \"{text}\": need \"headername: headervalue\""),
    ));
    Vec::new()
}

fn size(value: i64) -> usize {
    usize::try_from(value).unwrap_or_default()
}
