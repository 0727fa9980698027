//! What stands in a ServiceAccount's token. Signatures are the API server's business and are not checked.

/// Of a JSON web token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Claims {
    pub(super) subject: String,
    pub(super) audiences: Vec<String>,
}

pub(super) fn claims(token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let claims: serde_json::Value = serde_json::from_slice(&base64url(payload)?).ok()?;
    let audiences = claims["aud"].as_array()?.iter().filter_map(|one| one.as_str()).map(str::to_owned).collect();
    Some(Claims { subject: claims["sub"].as_str()?.to_owned(), audiences })
}

/// Base 64 with the alphabet for URLs, without padding.
fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut bits, mut held) = (0_u32, 0);
    for sign in text.bytes() {
        let six = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_whose_it_is() {
        // {"aud":["sts.amazonaws.com"],"sub":"system:serviceaccount:a:b?>"}
        let payload = "eyJhdWQiOlsic3RzLmFtYXpvbmF3cy5jb20iXSwic3ViIjoic3lzdGVtOnNlcnZpY2VhY2NvdW50OmE6Yj8-In0";
        let claims = claims(&format!("head.{payload}.signature")).unwrap();
        assert_eq!(
            (claims.subject.as_str(), claims.audiences.as_slice()),
            ("system:serviceaccount:a:b?>", &["sts.amazonaws.com".to_owned()][..])
        );
        assert_eq!(super::claims("no token"), None);
        assert_eq!(super::claims("a.=.b"), None);
    }
}
