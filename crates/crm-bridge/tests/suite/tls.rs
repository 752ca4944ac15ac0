//! A CRM over TLS: whoever can't prove to be it is not asked.

use std::sync::Arc;

use crm_bridge::connector::ask::Question;
use crm_bridge::connector::trouble::Trouble;
use db_kit::testing::block_on;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use serde_json::json;
use service_kit::Personal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::Town;
use crate::wire::people;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a server shows: a certificate of that authority for that name, good until the end of that year.
fn shown(authority: &Authority, name: &str, until: i32) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(until, 12, 31);
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

/// A CRM at `https://localhost:PORT` that knows everybody.
async fn crm(config: ServerConfig) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::task::spawn_local(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let (mut request, mut piece) = (Vec::new(), [0_u8; 1024]);
                while !request.windows(4).any(|four| four == b"\r\n\r\n") {
                    match stream.read(&mut piece).await {
                        Ok(0) | Err(_) => return,
                        Ok(count) => request.extend_from_slice(&piece[..count]),
                    }
                }
                let _ = stream.write_all(&people(&["a"], &json!({}))).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    format!("https://localhost:{port}")
}

/// What comes of a question to a server that shows this, where the settings name this authority.
async fn outcome(config: ServerConfig, named: Option<&Authority>) -> Result<usize, Trouble> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("authority.pem").display().to_string();
    let mut settings = vec![("CRM__TOTAL_TIMEOUT_MS", "5000")];
    if let Some(authority) = named {
        std::fs::write(&file, authority.pem()).unwrap();
        settings.push(("CRM__CA_FILE", &file));
    }
    let town = Town::on_sqlite(&crm(config).await, &settings).await;
    let question = Question::ByEmail(Personal::new("a@x.example".to_owned()));
    town.bridge.connector.ask(question).await.map(|found| found.records.len())
}

#[test]
fn a_crm_with_an_authority_of_its_own_is_asked_if_the_settings_name_that() {
    block_on(async {
        let ours = authority();
        assert_eq!(outcome(shown(&ours, "localhost", 2120), Some(&ours)).await, Ok(1));
    });
}

#[test]
fn whoever_can_not_prove_to_be_the_crm_is_not_asked_and_the_reason_is_the_certificate() {
    block_on(async {
        let (ours, stranger) = (authority(), authority());
        let certificate = Err(Trouble::Certificate);
        for (what, config, named) in [
            ("another name", shown(&ours, "crm.elsewhere.example", 2120), Some(&ours)),
            ("an address in the place of the name", shown(&ours, "127.0.0.1", 2120), Some(&ours)),
            ("out of date", shown(&ours, "localhost", 2021), Some(&ours)),
            ("of somebody else's authority", shown(&stranger, "localhost", 2120), Some(&ours)),
            ("of an authority that no setting names", shown(&ours, "localhost", 2120), None),
        ] {
            assert_eq!(outcome(config, named).await, certificate, "{what}");
        }
    });
}
