//! `smtpd_proxy_filter`: a filter that sees a message before it is accepted. SMTPD_PROXY_README.
//!
//! The filter's replies are the client's. It gets the commands as the client gave them, and what it takes it brings
//! back by a service of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use conf::View;
use filter::{Dns, SystemDns};
use mail::Client as Origin;
use mail::logline::printable;
use net::Stream;
use net::drive::Client;
use proto::smtp::client::{Event, Extensions, Settings as Machine, Stage};
use proto::smtp::reply::Received;
use proto::smtp::{Reply, xtext};

use crate::params::Smtpd as Params;

/// Where the filter is, and how it is spoken to.
pub(super) struct Filter {
    endpoint: Endpoint,
    /// As configured, for the log.
    name: String,
    ehlo: String,
    timeout: Duration,
    /// `speed_adjust`: the filter is asked when the message is whole.
    pub adjusts_speed: bool,
    dns: SystemDns,
    program: String,
}

#[derive(Debug, PartialEq, Eq)]
enum Endpoint {
    Inet(String, u16),
    Unix(PathBuf),
}

/// A message on its way to the filter.
pub(super) struct Passing {
    client: Client,
    filter: Arc<Filter>,
    /// Something went wrong on the way: nothing more is said to the filter.
    broken: bool,
}

impl Filter {
    /// The filter of a service; `None` where there is none. The error says what is wrong with its name.
    pub fn read(
        view: &View,
        params: &Params,
        dns: SystemDns,
        program: &str,
    ) -> Result<Option<Filter>, String> {
        let name = params.smtpd_proxy_filter.trim();
        if name.is_empty() {
            return Ok(None);
        }
        let adjusts_speed = params.smtpd_proxy_options.iter().any(|option| option == "speed_adjust");
        Ok(Some(Filter {
            endpoint: Endpoint::parse(name, view)?,
            name: name.to_owned(),
            ehlo: params.smtpd_proxy_ehlo.clone(),
            timeout: params.smtpd_proxy_timeout,
            adjusts_speed,
            dns,
            program: program.to_owned(),
        }))
    }

    /// What is wrong with the parameters, if anything.
    pub fn check(view: &View, params: &Params) -> Result<(), String> {
        let name = params.smtpd_proxy_filter.trim();
        if name.is_empty() {
            return Ok(());
        }
        if let Some(unknown) = params.smtpd_proxy_options.iter().find(|option| *option != "speed_adjust") {
            return Err(format!("smtpd_proxy_options: \"{unknown}\" is not known; speed_adjust is"));
        }
        Endpoint::parse(name, view).map(drop)
    }

    fn warn(&self, text: &str) {
        log::warn!(target: self.program.as_str(), "{}", printable(text));
    }

    async fn connect(&self) -> Result<Stream, String> {
        let text = |error: std::io::Error| {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_owned()
        };
        let (host, port) = match &self.endpoint {
            Endpoint::Unix(path) => return net::connect::unix(path, self.timeout).await.map_err(text),
            Endpoint::Inet(host, port) => (host, *port),
        };
        let addresses = match host.trim_matches(['[', ']']).parse() {
            Ok(address) => vec![address],
            Err(_) => self.dns.host(host).await.map_err(|missing| format!("host {host}: {missing}"))?,
        };
        let mut wrong = format!("host {host} has no address");
        for address in addresses {
            match net::connect::tcp(SocketAddr::new(address, port), None, self.timeout).await {
                Ok(stream) => return Ok(stream),
                Err(error) => wrong = text(error),
            }
        }
        Err(wrong)
    }
}

impl Endpoint {
    /// Reads `host:port`, `inet:host:port` or `unix:path`.
    fn parse(text: &str, view: &View) -> Result<Endpoint, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Endpoint::Unix(PathBuf::from(view.get("queue_directory")).join(path)));
        }
        let rest = text.strip_prefix("inet:").unwrap_or(text);
        let (host, port) = rest.rsplit_once(':').unwrap_or(("", rest));
        let port = port.parse().map_err(|_| {
            format!("smtpd_proxy_filter = {text}: host:port, inet:host:port or unix:path is expected")
        })?;
        let host = if host.is_empty() { "127.0.0.1" } else { host };
        Ok(Endpoint::Inet(host.to_owned(), port))
    }
}

/// What the client hears when the filter cannot be spoken to.
pub(super) fn trouble() -> Reply {
    Reply::new(451, (3, 0), "Error: queue file write error")
}

impl Passing {
    /// Opens a session with the filter, up to MAIL. The error is the reply for the client.
    pub async fn open(
        filter: &Arc<Filter>,
        origin: &Origin,
        local: bool,
        mail_command: &str,
    ) -> Result<Passing, Reply> {
        let stream = filter.connect().await.map_err(|wrong| {
            filter.warn(&format!("connect to proxy filter {}: {wrong}", filter.name));
            trouble()
        })?;
        let client = Client::new(stream, machine(filter.timeout));
        let mut passing = Passing { client, filter: filter.clone(), broken: false };
        passing.shake_hands(origin, local).await.map_err(|_| trouble())?;
        match passing.ask(Stage::Mail, mail_command).await {
            Ok(()) => Ok(passing),
            Err(reply) => {
                passing.close().await;
                Err(reply)
            }
        }
    }

    async fn shake_hands(&mut self, origin: &Origin, local: bool) -> Result<(), Reply> {
        let greeting = self.client.next().await;
        self.accepted("connection request", greeting)?;
        let hello = self.told(Stage::Ehlo, &format!("EHLO {}", self.filter.ehlo)).await?;
        let wanted = Extensions::parse(&hello, &[]).xforward;
        let line: String = attributes(origin, local)
            .into_iter()
            .filter(|(name, _)| wanted.iter().any(|keyword| keyword == name))
            .map(|(name, value)| format!(" {name}={value}"))
            .collect();
        if !line.is_empty() {
            self.ask(Stage::Xforward, &format!("XFORWARD{line}")).await?;
        }
        Ok(())
    }

    /// Passes on a command. The error is the reply for the client.
    pub async fn ask(&mut self, stage: Stage, command: &str) -> Result<(), Reply> {
        self.told(stage, command).await.map(drop)
    }

    async fn told(&mut self, stage: Stage, command: &str) -> Result<Received, Reply> {
        if self.broken {
            return Err(trouble());
        }
        self.client.machine().ask(stage, command);
        let event = self.client.next().await;
        self.accepted(command, event)
    }

    /// DATA: content may follow.
    pub async fn open_content(&mut self) -> Result<(), Reply> {
        if self.broken {
            return Err(trouble());
        }
        self.client.machine().ask(Stage::Data, "DATA");
        match self.client.next().await {
            Event::Reply(_, reply) if reply.code / 100 == 3 => {
                self.client.machine().open_content();
                Ok(())
            }
            event => Err(self.refused("DATA", event)),
        }
    }

    /// Passes on content, with LF line ends. Whether it arrived is told by [`Passing::end_content`].
    pub async fn content(&mut self, bytes: &[u8]) {
        if !self.broken
            && let Err(event) = self.client.content(bytes).await
        {
            self.refused("DATA", event);
        }
    }

    /// The content is complete: the filter's reply, whatever it is.
    pub async fn end_content(&mut self) -> Reply {
        if self.broken {
            return trouble();
        }
        self.client.machine().end_of_content(false);
        match self.client.next().await {
            Event::Done(_, reply) if matches!(reply.code / 100, 2 | 4 | 5) => passed_on(&reply),
            event => self.refused(".", event),
        }
    }

    /// Says QUIT, and waits for no answer.
    pub async fn close(mut self) {
        if !self.broken {
            self.client.machine().ask(Stage::Quit, "QUIT");
            // It hears it or not: nothing depends on it any more.
            let _ = self.client.flush().await;
        }
    }

    fn accepted(&mut self, command: &str, event: Event) -> Result<Received, Reply> {
        match event {
            Event::Reply(_, reply) if reply.is_ok() => Ok(reply),
            event => Err(self.refused(command, event)),
        }
    }

    /// Logs why the filter did not do as it was asked; the reply for the client.
    fn refused(&mut self, command: &str, event: Event) -> Reply {
        let name = &self.filter.name;
        match event {
            Event::Reply(_, reply) | Event::Done(_, reply) => {
                let said = reply.lines.join("\r\n");
                self.filter.warn(&format!("proxy {name} rejected \"{command}\": \"{said}\""));
                if matches!(reply.code / 100, 4 | 5) { passed_on(&reply) } else { trouble() }
            }
            Event::TimedOut(_) => {
                self.filter.warn(&format!("timeout talking to proxy {name}"));
                self.broken = true;
                trouble()
            }
            _ => {
                self.filter.warn(&format!("lost connection with proxy {name}"));
                self.broken = true;
                trouble()
            }
        }
    }
}

/// The filter's reply as the client hears it.
fn passed_on(reply: &Received) -> Reply {
    let lines: Vec<&str> = reply.lines.iter().map(|line| line.get(4..).unwrap_or_default()).collect();
    Reply::plain(reply.code, lines.join("\n"))
}

/// Every step may take as long.
fn machine(timeout: Duration) -> Machine {
    Machine {
        helo_timeout: timeout,
        xforward_timeout: timeout,
        mail_timeout: timeout,
        rcpt_timeout: timeout,
        data_init_timeout: timeout,
        data_xfer_timeout: timeout,
        data_done_timeout: timeout,
        quit_timeout: timeout,
        // Lines stay as they are: the filter is no stranger.
        content_line_limit: 0,
        ..Machine::default()
    }
}

/// Who the client is (XFORWARD_README), in the order of Postfix.
fn attributes(origin: &Origin, local: bool) -> [(&'static str, String); 7] {
    let known = |text: &str| match text {
        "" | "unknown" => "[UNAVAILABLE]".to_owned(),
        text => xtext::encode(text.as_bytes()),
    };
    let address = match origin.address.contains(':') {
        true => format!("IPv6:{}", origin.address),
        false => origin.address.clone(),
    };
    let port = origin.port.map(|port| port.to_string()).unwrap_or_default();
    [
        ("NAME", known(&origin.name)),
        ("ADDR", known(&address)),
        ("PORT", known(&port)),
        ("HELO", known(&origin.helo)),
        ("IDENT", known(&origin.ident)),
        ("PROTO", known(&origin.protocol)),
        ("SOURCE", (if local { "LOCAL" } else { "REMOTE" }).to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use conf::Block;

    use super::*;

    #[test]
    fn filters_have_addresses_or_paths() {
        let view = View::new(
            conf::Registry::new(&[conf::params::Paths::DECLARATIONS]),
            conf::MainCf::parse("queue_directory = /q\n", std::path::Path::new("main.cf")).0,
            conf::Facts::default(),
        );
        let inet = |host: &str, port| Ok(Endpoint::Inet(host.to_owned(), port));
        for (text, endpoint) in [
            ("filter.test:10025", inet("filter.test", 10025)),
            ("inet:[::1]:10025", inet("[::1]", 10025)),
            ("inet:10025", inet("127.0.0.1", 10025)),
            (":10025", inet("127.0.0.1", 10025)),
            ("unix:private/filter", Ok(Endpoint::Unix("/q/private/filter".into()))),
        ] {
            assert_eq!(Endpoint::parse(text, &view), endpoint, "{text}");
        }
        assert!(Endpoint::parse("filter.test", &view).is_err());
        assert!(Endpoint::parse("filter.test:99999", &view).is_err());
    }

    #[test]
    fn a_reply_is_passed_on_line_by_line() {
        let lines = ["550-5.7.1 one", "550 5.7.1 two"].map(str::to_owned).to_vec();
        let mut out = Vec::new();
        passed_on(&Received { code: 550, status: None, lines }).write(&mut out);
        assert_eq!(out, b"550-5.7.1 one\r\n550 5.7.1 two\r\n");
    }

    #[test]
    fn what_is_not_known_of_a_client_is_said_so() {
        let origin = Origin { name: "unknown".into(), address: "2001:db8::1".into(), ..Origin::default() };
        let told: Vec<String> =
            attributes(&origin, false).iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            told.join(" "),
            "NAME=[UNAVAILABLE] ADDR=IPv6:2001:db8::1 PORT=[UNAVAILABLE] HELO=[UNAVAILABLE] \
             IDENT=[UNAVAILABLE] PROTO=[UNAVAILABLE] SOURCE=REMOTE"
        );
    }
}
