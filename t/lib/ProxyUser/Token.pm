package ProxyUser::Token;

# Test keys, JWK Sets and tokens, minted without the module's own code: every
# signature here is made by CryptX (libtomcrypt), the module verifies with
# OpenSSL.
#
#   token()                                  alice, RS256, valid for decades
#   token(alg => 'ES256', claims => { sub => 'bob', roles => ['reader'] })
#   token(claims => { exp => undef })        a claim left out
#   token(header => { typ => undef, crit => null() }, kid => undef)
#   token(key => 'rsa2', kid => 'rsa1')      signed by one, named the other
#   jws($header_bytes, $payload_bytes, alg => 'RS256')     any bytes at all
#   tamper($token, 2, sub { ... $_[0] is the decoded part ... })
#   jwks(jwk('rsa1'), jwk('ec256', kid => undef, use => 'sig'))   JSON text

use strict;
use warnings;

use Crypt::Mac::HMAC qw(hmac);
use Crypt::PK::ECC;
use Crypt::PK::Ed25519;
use Crypt::PK::RSA;
use Digest::SHA qw(sha256);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Spec;
use JSON::PP ();
use MIME::Base64 qw(encode_base64url decode_base64url);

our @EXPORT = qw(
    token jws tamper signature jwk jwks pem secret_key
    b64u unb64u handle_digest issuer_url null
);

use constant DATA => File::Spec->rel2abs(
    dirname(__FILE__) . '/../../data');

my $json = JSON::PP->new->canonical->utf8->convert_blessed;

# alg => [ the key that signs unless another is named, hash ]
my %alg = (
    (map { ("RS$_" => ['rsa1', "SHA$_"], "PS$_" => ['rsa1', "SHA$_"],
            "HS$_" => ['secret', "SHA$_"]) } 256, 384, 512),
    ES256 => ['ec256', 'SHA256'],
    ES384 => ['ec384', 'SHA384'],
    ES512 => ['ec521', 'SHA512'],
    EdDSA => ['ed25519'],
);

my $secret = pack 'H*', join '', map { sprintf '%02x', 255 - $_ } 0 .. 63;
my %key;


sub issuer_url { 'https://idp.example.com' }

sub secret_key { $secret }

# JSON's null as a value: undef would take the member away.
sub null { bless {}, 'ProxyUser::Null' }

sub ProxyUser::Null::TO_JSON { undef }

sub b64u { encode_base64url($_[0], '') }

sub unb64u { decode_base64url($_[0]) }


# The text of a file of t/data.
sub pem {
    my ($name) = @_;

    my $file = DATA . "/$name.pem";
    open my $in, '<:raw', $file or die "$file: $!\n";
    local $/;
    return <$in>;
}


sub key {
    my ($name) = @_;

    return $key{$name} //= do {
        my $pem = pem($name);
        my $class = $name =~ /^rsa/ ? 'RSA' : $name =~ /^ed/ ? 'Ed25519'
                                                             : 'ECC';
        "Crypt::PK::$class"->new(\$pem);
    };
}


# One public key as a hash; members given replace, undef takes away.
sub jwk {
    my ($name, %member) = @_;

    my $jwk = $json->decode(key($name)->export_key_jwk('public'));
    return with({ %$jwk, kid => $name }, \%member);
}


sub jwks { $json->encode({ keys => [@_] }) }


sub with {
    my ($hash, $change) = @_;

    my %new = (%$hash, %{ $change || {} });
    delete $new{$_} for grep { !defined $new{$_} } keys %new;
    return \%new;
}


# The signature of one algorithm over any bytes. "salt" is the length for PS.
sub signature {
    my ($alg, $name, $input, %opt) = @_;

    my $hash = $alg{$alg}[1];

    return hmac($hash, $opt{secret} // $secret, $input) if $alg =~ /^HS/;
    return key($name)->sign_message($input, $hash, 'v1.5') if $alg =~ /^RS/;
    return key($name)->sign_message($input, $hash, 'pss',
               $opt{salt} // substr($alg, 2) / 8) if $alg =~ /^PS/;
    return key($name)->sign_message_rfc7518($input, $hash) if $alg =~ /^ES/;
    return key($name)->sign_message($input) if $alg eq 'EdDSA';

    die "no way to sign $alg\n";
}


# Header and payload are bytes and are not looked at. "sign" is the algorithm
# that really signs, "signature" replaces what it would make.
sub jws {
    my ($header, $payload, %opt) = @_;

    my $alg = $opt{sign} // $opt{alg} // 'RS256';
    my $input = b64u($header) . '.' . b64u($payload);
    my $bytes = $opt{signature}
        // signature($alg, $opt{key} // $alg{$alg}[0], $input, %opt);

    return $input . '.' . b64u($bytes);
}


sub claims {
    my ($change) = @_;

    return $json->encode(with({
        iss => issuer_url(), aud => 'api', sub => 'alice',
        iat => 1700000000, exp => 4102444800,
    }, $change));
}


sub header {
    my ($alg, $kid, $change) = @_;

    return $json->encode(with({ alg => $alg, typ => 'JWT', kid => $kid },
                              $change));
}


# alg     what the header says and, unless sign is given, what signs
# kid     undef: none; left out: the name of the key
# claims, header   members to set; undef takes one away
# payload, head    bytes instead of claims and header
sub token {
    my (%opt) = @_;

    my $alg = $opt{alg} // 'RS256';
    my $sign = $opt{sign} // $alg;
    my $key = $opt{key} // ($alg{$sign} || ['none'])->[0];
    my $kid = exists $opt{kid} ? $opt{kid} : $key;

    return jws($opt{head} // header($alg, $kid, $opt{header}),
               $opt{payload} // claims($opt{claims}),
               %opt, sign => $sign, key => $key);
}


# Part 0, 1 or 2 of a token is decoded, changed and put back.
sub tamper {
    my ($token, $part, $change) = @_;

    my @part = split /\./, $token, -1;
    $part[$part] = b64u($change->(unb64u($part[$part])));
    return join '.', @part;
}


# base64url(SHA-256(issuer, one zero byte, subject))
sub handle_digest {
    my ($subject, $issuer) = @_;

    return b64u(sha256(($issuer // issuer_url()) . "\0" . $subject));
}


1;
