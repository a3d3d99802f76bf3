//! An upload that is read, encrypted and sent piece by piece.
//!
//! The SDK takes what is uploaded as a whole, and holds it twice where the room is encrypted. The
//! listing of a large homeserver is tens of megabytes; here a few pieces of it are in memory.

use std::{
    io::{self, Read},
    time::Duration,
};

use futures_util::stream::poll_fn;
use matrix_sdk::{
    Client, Error, HttpError,
    media::MediaError,
    ruma::{
        UInt,
        api::{IncomingResponse as _, client::media::create_content::v3 as create_content},
        events::room::{EncryptedFile, MediaSource},
        exports::http,
    },
};
use matrix_sdk_base::crypto::{AttachmentEncryptor, MediaEncryptionInfo};
use reqwest::{
    Body, RequestBuilder, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::spawn_blocking,
};

use crate::reply::File;

/// The length of a piece, bytes.
const PIECE: usize = 64 * 1024;

/// How many pieces may be read before the homeserver has taken those before them.
const AHEAD: usize = 4;

type Piece = io::Result<Vec<u8>>;

/// Uploads a file once, within `patience`: `POST /_matrix/media/v3/upload`. Each try encrypts with
/// a key of its own.
pub(super) async fn upload(
    client: &Client,
    file: &File,
    encrypted: bool,
    patience: Duration,
) -> Result<MediaSource, Error> {
    let max = client.load_or_fetch_max_upload_size().await?;
    let current = UInt::new_wrapping(file.bytes());
    if current > max {
        return Err(Error::Media(MediaError::MediaTooLargeToUpload { max, current }));
    }
    let (to_send, pieces) = channel(AHEAD);
    let mut from = file.read();
    let reading = spawn_blocking(move || {
        let ended = if encrypted { encrypt(&mut from, &to_send) } else { cut(&mut from, &to_send) };
        if let Err(error) = &ended {
            // A body that is too short must not pass for a whole one.
            let _gone = to_send.blocking_send(Err(error.kind().into()));
        }
        ended
    });
    let answered = answer(request(client, file, encrypted)?.timeout(patience), pieces).await;
    match (answered, reading.await.map_err(io::Error::other)?) {
        (Ok(answer), Ok(None)) => Ok(MediaSource::Plain(answer.content_uri)),
        (Ok(answer), Ok(Some(MediaEncryptionInfo { encryption_info, hashes }))) => {
            let file = EncryptedFile::new(answer.content_uri, encryption_info, hashes);
            Ok(MediaSource::Encrypted(Box::new(file)))
        }
        // Where the homeserver would not hear the rest, its answer says why.
        (Err(error), Ok(_)) => Err(error.into()),
        (Err(error), Err(cut_off)) if cut_off.kind() == io::ErrorKind::BrokenPipe => {
            Err(error.into())
        }
        (_, Err(unread)) => Err(unread.into()),
    }
}

/// The request, without its body.
fn request(client: &Client, file: &File, encrypted: bool) -> Result<RequestBuilder, Error> {
    let base = client.homeserver();
    let address = format!("{}/_matrix/media/v3/upload", base.as_str().trim_end_matches('/'));
    let token = client.access_token().ok_or(Error::AuthenticationRequired)?;
    // What an encrypted file is only those in the room are to know.
    let unnamed = mime::APPLICATION_OCTET_STREAM;
    let mime = if encrypted { &unnamed } else { &file.mime };
    Ok(client
        .http_client()
        .post(address)
        .bearer_auth(token)
        .header(CONTENT_TYPE, mime.essence_str())
        // A stream does not say it, and homeservers want it.
        .header(CONTENT_LENGTH, file.bytes()))
}

/// Sends the request with these pieces as its body.
#[expect(
    clippy::disallowed_methods,
    reason = "the SDK wants a file in memory, however large it is"
)]
async fn answer(
    request: RequestBuilder,
    mut pieces: Receiver<Piece>,
) -> Result<create_content::Response, HttpError> {
    let body = Body::wrap_stream(poll_fn(move |context| pieces.poll_recv(context)));
    let mut response: Response = request.body(body).send().await?;
    let mut answer = http::Response::new(());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    let bytes = response.bytes().await?;
    Ok(create_content::Response::try_from_http_response(answer.map(|()| bytes))?)
}

/// Hands on what is encrypted, and then how to decrypt it.
fn encrypt(
    from: &mut impl Read,
    to_send: &Sender<Piece>,
) -> io::Result<Option<MediaEncryptionInfo>> {
    let mut encryptor = AttachmentEncryptor::new(from);
    cut(&mut encryptor, to_send)?;
    Ok(Some(encryptor.finish()))
}

/// Hands on all of it in pieces. [`BrokenPipe`](io::ErrorKind::BrokenPipe) where nobody takes them
/// any more.
fn cut(from: &mut impl Read, to_send: &Sender<Piece>) -> io::Result<Option<MediaEncryptionInfo>> {
    loop {
        let mut piece = vec![0; PIECE];
        let length = match from.read(&mut piece) {
            Ok(0) => return Ok(None),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        piece.truncate(length);
        to_send.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe)?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use matrix_sdk_base::crypto::AttachmentDecryptor;

    use super::*;

    /// Takes pieces as a connection does, a moment after they are offered.
    fn taken(mut pieces: Receiver<Piece>) -> Vec<u8> {
        let mut all = Vec::new();
        while let Some(piece) = pieces.blocking_recv() {
            assert!(piece.as_ref().unwrap().len() <= PIECE);
            all.extend(piece.unwrap());
        }
        all
    }

    #[test]
    fn what_is_sent_is_what_the_keys_open() {
        let words: Vec<u8> =
            (0..u32::try_from(PIECE).unwrap()).flat_map(u32::to_le_bytes).collect();
        let (to_send, pieces) = channel(AHEAD);
        let mut from = words.as_slice();
        let (keys, sent) = std::thread::scope(|scope| {
            let taking = scope.spawn(|| taken(pieces));
            let keys = encrypt(&mut from, &to_send).unwrap().unwrap();
            drop(to_send);
            (keys, taking.join().unwrap())
        });
        assert!(sent.len() == words.len() && sent != words);
        let mut sent = Cursor::new(sent);
        let mut opened = Vec::new();
        AttachmentDecryptor::new(&mut sent, keys).unwrap().read_to_end(&mut opened).unwrap();
        assert!(opened == words);
    }

    #[test]
    fn what_nobody_takes_is_not_read_on() {
        let (to_send, pieces) = channel(AHEAD);
        drop(pieces);
        let error = cut(&mut io::repeat(7), &to_send).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
