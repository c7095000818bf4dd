//! What the road is told of a message: envelope, Received header, where it came from.

use mail::{Envelope, QueueId, Trail};
use net::tls::Trust;
use proto::smtp::Reply;
use route::{ClientFacts, Context};

use super::session::{Content, Session, Transaction};
use crate::cleanup::Skip;
use crate::cleanup::received::{BySmtp, ClientCertificate, Tls};
use crate::road::{self, Message};
use crate::vouching::Stranger;

impl Session {
    /// Opens the road for the message. Why it is closed is told at the end of the content; the error is the reply of
    /// a filter that does not want it.
    pub(super) async fn open_content(&mut self, chunks: bool) -> Result<(), Reply> {
        self.open_message();
        let Some(transaction) = &self.transaction else { return Ok(()) };
        if transaction.filtering.is_some() {
            return Box::pin(self.open_filtered_content(chunks)).await;
        }
        let Some(id) = transaction.id.clone() else { return Ok(()) };
        let receiving = match self.message(transaction, id).await {
            Ok(message) => {
                let service = &self.service;
                road::receive(&service.house, &self.setup, &service.cleanup, message).await
            }
            Err(refusal) => Err(refusal),
        };
        if let Some(transaction) = &mut self.transaction {
            transaction.size = 0;
            transaction.content = Content::Coming { chunks, receiving: Box::new(receiving) };
        }
        Ok(())
    }

    async fn message(&self, transaction: &Transaction, id: QueueId) -> Result<Message, mail::Refusal> {
        let rewrite_local = self.rewrites_as_local().await?;
        let mut client = match self.submitter {
            // To filters and to the next hop this is local mail, whoever the session is logged as.
            Some(_) => mail::Client::default(),
            None => self.forward.as_ref().map_or(&self.peer.client, |forward| &forward.client).clone(),
        };
        client.sasl_sender = transaction.params.auth.clone().unwrap_or_default();
        let params = &transaction.params;
        let envelope = Envelope {
            sender: transaction.sender.clone(),
            recipients: transaction.recipients.clone(),
            body_type: params.body,
            smtputf8: params.smtputf8,
            envid: params.envid.clone(),
            ret: params.ret,
            client,
            rewrite_local,
            content_filter: self.service.content_filter.clone(),
            verp: params.verp.clone(),
            origin: if self.submitter.is_some() { "pickup" } else { "smtpd" }.to_owned(),
            ..Envelope::default()
        };
        Ok(Message {
            prepend: self.received(transaction, Some(&id)),
            id,
            envelope,
            orders: self.standing.orders.clone(),
            origin: self.peer.label(),
            skip: match self.submitter {
                Some(_) => Skip { milters: self.setup.pickup.skip.milters, ..self.service.skip },
                None => self.service.skip,
            },
            arrival: transaction.arrival,
            stranger: self.stranger(transaction).await?,
            size_hint: params.size.unwrap_or(0),
        })
    }

    /// Who sends this, unless it is somebody whose mail is ours: logged in, or in `mynetworks`. Behind a filter that
    /// tells of its client (XFORWARD), that one counts.
    async fn stranger(&self, transaction: &Transaction) -> Result<Option<Stranger>, mail::Refusal> {
        if self.submitter.is_some() || !self.peer.client.sasl_username.is_empty() {
            return Ok(None);
        }
        let client = self.forward.as_ref().map_or(&self.peer.client, |forward| &forward.client);
        let Ok(address) = client.address.trim_start_matches("IPv6:").parse() else { return Ok(None) };
        let mynetworks = &self.service.judge.settings().mynetworks;
        if mynetworks.matches_host(&client.name, address).await? {
            return Ok(None);
        }
        let helo = client.helo.clone();
        Ok(Some(Stranger { address, helo, sender: transaction.sender.clone() }))
    }

    /// `local_header_rewrite_clients`.
    pub(super) async fn rewrites_as_local(&self) -> Result<bool, mail::Refusal> {
        if self.submitter.is_some() {
            return Ok(true);
        }
        if let Some(local) = self.forward.as_ref().and_then(|forward| forward.local) {
            return Ok(local);
        }
        let Some(address) = self.peer.ip else { return Ok(false) };
        let settings = self.service.judge.settings();
        let certificate = self.peer.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        let mut listed = false;
        if let Some(certificate) = certificate {
            for print in [&certificate.fingerprint, &certificate.pubkey_fingerprint] {
                listed |= settings.client_certificates.find(print.as_str()).await?.is_some();
            }
        }
        let client = ClientFacts {
            address,
            in_my_networks: settings.mynetworks.matches_host(&self.peer.client.name, address).await?,
            logged_in: !self.peer.client.sasl_username.is_empty(),
            verified_certificate: certificate.is_some_and(|certificate| certificate.trusted),
            listed_certificate: listed,
        };
        let context = self.setup.router.header_context(&client, &mut Trail::off()).await?;
        Ok(context == Context::Local)
    }

    pub(super) fn received(&self, transaction: &Transaction, id: Option<&QueueId>) -> String {
        let service = &self.service;
        let tls = service.encryption.in_received.then(|| self.received_tls()).flatten();
        let only = match transaction.recipients.as_slice() {
            [only] => Some(&only.original),
            _ => None,
        };
        let by_smtp = BySmtp {
            client: &self.peer.client,
            tls: tls.as_ref(),
            encrypted: self.tls.is_some(),
            show_login: service.sasl.smtpd_sasl_authenticated_header,
            host: self.host(),
            mail_name: &service.settings.mail_name,
            smtputf8: transaction.params.smtputf8,
            id,
            only,
            date: &mail::date::rfc5322(transaction.arrival, &service.zone),
        }
        .format();
        match (self.submitter, id) {
            (Some(uid), Some(id)) => self.submitted(uid, transaction, id) + &by_smtp,
            _ => by_smtp,
        }
    }

    fn received_tls(&self) -> Option<Tls> {
        let summary = self.tls.as_deref()?;
        let sized = |text: &Option<String>| {
            let text = text.clone().unwrap_or_default();
            match text.split_once(" (") {
                Some((name, size)) => (name.to_owned(), size.trim_end_matches(')').to_owned()),
                None => (text, String::new()),
            }
        };
        let (key_exchange, key_exchange_size) = sized(&summary.key_exchange);
        let (signature, signature_size) = sized(&summary.server_signature);
        let (client_signature, client_signature_size) = sized(&summary.client_signature);
        let client = match &summary.peer {
            _ if !self.service.encryption.asks_certificate => ClientCertificate::NotRequested,
            Some(peer) => ClientCertificate::Present {
                name: peer.subject_cn.clone(),
                issuer: peer.issuer_cn.clone(),
                verified: summary.trust >= Trust::Trusted,
            },
            None => ClientCertificate::NotPresent,
        };
        Some(Tls {
            protocol: summary.protocol.clone(),
            cipher: summary.cipher.clone(),
            bits: (u32::from(summary.bits.0), u32::from(summary.bits.1)),
            key_exchange,
            key_exchange_size,
            signature,
            signature_size,
            digest: summary.server_digest.clone().unwrap_or_default(),
            client_signature,
            client_signature_size,
            client_digest: summary.client_digest.clone().unwrap_or_default(),
            client,
        })
    }
}
