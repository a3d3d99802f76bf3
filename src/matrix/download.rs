//! A download that ends where it is longer than wanted.
//!
//! The SDK holds all of what is downloaded, however long that is and whatever the message says; and
//! what it says is its sender's word, or the homeserver's. Here no more is read than is asked for.

use std::{
    io::{Cursor, Read as _},
    time::Duration,
};

use matrix_sdk::{
    Client, Error, HttpError,
    ruma::{
        MxcUri,
        api::{IncomingResponse as _, client::media::create_content::v3 as create_content},
        events::room::{EncryptedFile, MediaSource},
        exports::http,
    },
};
use matrix_sdk_base::crypto::AttachmentDecryptor;
use reqwest::{Response, StatusCode};
use url::Url;

use crate::pipeline::Held;

/// Where files are asked for: with a token, and where the homeserver is too old to want one.
const PLACES: [&str; 2] = ["_matrix/client/v1/media/download", "_matrix/media/v3/download"];

/// Downloads a file once, within `patience`, as far as `most` bytes, and decrypts it:
/// `GET /_matrix/client/v1/media/download/{serverName}/{mediaId}`.
pub(super) async fn download(
    client: &Client,
    source: &MediaSource,
    most: u64,
    patience: Duration,
) -> Result<Held, Error> {
    let uri = match source {
        MediaSource::Plain(uri) => uri,
        MediaSource::Encrypted(file) => &file.url,
    };
    let response = ask(client, uri, patience).await?;
    let Some(bytes) = read(response, most).await.map_err(HttpError::from)? else {
        return Ok(Held::TooMuch);
    };
    Ok(match source {
        MediaSource::Plain(_) => Held::Bytes(bytes),
        MediaSource::Encrypted(file) => opened(bytes, file),
    })
}

/// Asks for the file in one place after the other, until one knows it.
#[expect(
    clippy::disallowed_methods,
    reason = "the SDK reads a file into memory, however large it is"
)]
async fn ask(client: &Client, uri: &MxcUri, patience: Duration) -> Result<Response, Error> {
    let token = client.access_token().ok_or(Error::AuthenticationRequired)?;
    let mut error = Error::InsufficientData;
    for place in PLACES {
        let Some(address) = address(&client.homeserver(), place, uri) else { break };
        let request = client.http_client().get(address).bearer_auth(&token).timeout(patience);
        let response = request.send().await.map_err(HttpError::from)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        error = why_not(response).await;
        if status != StatusCode::NOT_FOUND {
            break;
        }
    }
    Err(error)
}

/// The longest error that is read, bytes.
const ERROR: u64 = 64 * 1024;

/// What the homeserver says in place of a file.
async fn why_not(mut response: Response) -> Error {
    let mut answer = http::Response::new(());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    let bytes = match read(response, ERROR).await {
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => return HttpError::from(error).into(),
    };
    match create_content::Response::try_from_http_response(answer.map(|()| bytes)) {
        Ok(_) => Error::UnknownError("no file, and no error".into()),
        Err(error) => HttpError::from(error).into(),
    }
}

fn address(base: &Url, place: &str, uri: &MxcUri) -> Option<Url> {
    let (server, id) = uri.parts().ok()?;
    let mut address = base.clone();
    let parts = place.split('/').chain([server.as_str(), id]);
    address.path_segments_mut().ok()?.pop_if_empty().extend(parts);
    Some(address)
}

/// All that is answered, or `None` as soon as that is longer than `most`.
async fn read(mut response: Response, most: u64) -> Result<Option<Vec<u8>>, reqwest::Error> {
    if response.content_length().is_some_and(|length| length > most) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await? {
        bytes.extend_from_slice(&piece);
        if bytes.len() as u64 > most {
            return Ok(None);
        }
    }
    Ok(Some(bytes))
}

/// What was encrypted, where it is what the message says that it is.
fn opened(bytes: Vec<u8>, file: &EncryptedFile) -> Held {
    let mut sealed = Cursor::new(bytes);
    let mut bytes = Vec::new();
    // The hash is compared at the end, and nothing is taken before.
    let read = AttachmentDecryptor::new(&mut sealed, file.clone().into())
        .ok()
        .and_then(|mut decryptor| decryptor.read_to_end(&mut bytes).ok());
    if read.is_some() { Held::Bytes(bytes) } else { Held::Altered }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use matrix_sdk_base::crypto::{AttachmentEncryptor, MediaEncryptionInfo};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A homeserver that says so much of a file and then nothing, and does not end.
    async fn endless(head: &'static str, length: usize) -> Response {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let _asked = stream.read(&mut asked).await;
            let said = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{}", "x".repeat(length));
            stream.write_all(said.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        });
        reqwest::Client::new().get(format!("http://{address}")).send().await.unwrap()
    }

    #[tokio::test]
    async fn what_is_longer_than_wanted_is_not_waited_for() {
        // 0x3e9 = 1001 bytes in one chunk.
        let chunked = endless("Transfer-Encoding: chunked\r\n\r\n3e9", 1001).await;
        let announced = endless("Content-Length: 1001", 0).await;
        // Neither ever ends.
        for response in [chunked, announced] {
            let read = tokio::time::timeout(Duration::from_secs(20), read(response, 1000));
            assert_eq!(read.await.unwrap().unwrap(), None);
        }
    }

    #[test]
    fn what_is_not_what_the_message_says_is_not_taken() {
        let mut words = b"@ann:one.example\n".as_slice();
        let mut encryptor = AttachmentEncryptor::new(&mut words);
        let mut sealed = Vec::new();
        encryptor.read_to_end(&mut sealed).unwrap();
        let MediaEncryptionInfo { encryption_info, hashes } = encryptor.finish();
        let uri = "mxc://one.example/abc".into();
        let file = EncryptedFile::new(uri, encryption_info, hashes);
        assert_eq!(opened(sealed.clone(), &file), Held::Bytes(b"@ann:one.example\n".to_vec()));
        sealed[1] ^= 1;
        assert_eq!(opened(sealed, &file), Held::Altered);
    }

    #[test]
    fn an_address_is_below_the_homeservers_own() {
        let base = "https://one.example/matrix".parse().unwrap();
        let uri = <&MxcUri>::from("mxc://two.example:8448/a_b-C");
        assert_eq!(
            address(&base, PLACES[0], uri).unwrap().as_str(),
            "https://one.example/matrix/_matrix/client/v1/media/download/two.example:8448/a_b-C"
        );
        assert!(address(&base, PLACES[0], "mxc://two.example/../x".into()).is_none());
    }
}
