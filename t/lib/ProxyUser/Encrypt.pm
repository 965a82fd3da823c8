package ProxyUser::Encrypt;

# Encrypted tokens (RFC 7516, compact form), made by CryptX, piece by piece:
# the module opens them with another library.
#
#   encrypt(token())                      RSA-OAEP and A256GCM for rsa-enc
#   encrypt($text, alg => 'dir', enc => 'A128CBC-HS256', key => $bytes)
#   encrypt($text, header => { kid => 'x', zip => undef }, head => $bytes)
#   part($jwe, 2, sub { $_[0] . 'x' })    a part decoded, changed, put back
#   raw_part($jwe, 2, 'A===')             a part as it stands
#   encryption_jwk('ec', kid => 'k')      the private JWK, as JSON
#
# Keys: rsa and ec are made when the test starts, or "key" has the bytes of a
# symmetric one.

use strict;
use warnings;

use Crypt::AuthEnc::GCM qw(gcm_encrypt_authenticate);
use Crypt::Cipher::AES;
use Crypt::Digest::SHA256 qw(sha256);
use Crypt::Mac::HMAC qw(hmac);
use Crypt::Mode::CBC;
use Crypt::PK::ECC;
use Crypt::PK::RSA;
use Crypt::PRNG qw(random_bytes);
use Exporter qw(import);
use JSON::PP ();

use ProxyUser::Token qw(b64u unb64u);

our @EXPORT = qw(encrypt part raw_part encryption_jwk encryption_pem);

my $json = JSON::PP->new->canonical->utf8;
my %pair;

# enc => [ content key, IV, tag, hash of its HMAC ]
my %enc = (
    'A128GCM' => [16, 12, 16],
    'A256GCM' => [32, 12, 16],
    'A128CBC-HS256' => [32, 16, 16, 'SHA256'],
    'A256CBC-HS512' => [64, 16, 32, 'SHA512'],
);


sub pair {
    my ($kind) = @_;

    return $pair{$kind} //= do {
        my $pk = $kind eq 'rsa' ? Crypt::PK::RSA->new
                                : Crypt::PK::ECC->new;
        $pk->generate_key($kind eq 'rsa' ? (256, 65537)
            : $kind eq 'ec' ? 'secp256r1' : $kind);
        $pk;
    };
}


sub encryption_jwk {
    my ($kind, %member) = @_;

    my $jwk = ref $kind ? { kty => 'oct', k => b64u($$kind) }
        : $json->decode(pair($kind)->export_key_jwk('private'));
    return $json->encode({ %$jwk, %member });
}

sub encryption_pem { pair($_[0])->export_key_pem('private') }


# RFC 3394.
sub wrap {
    my ($kek, $key) = @_;

    my $aes = Crypt::Cipher::AES->new($kek);
    my @r = unpack '(a8)*', $key;
    my $a = "\xa6" x 8;

    for my $j (0 .. 5) {
        for my $i (1 .. @r) {
            my $b = $aes->encrypt($a . $r[$i - 1]);
            $a = substr($b, 0, 8) ^ pack 'Q>', @r * $j + $i;
            $r[$i - 1] = substr $b, 8;
        }
    }

    return join '', $a, @r;
}


# RFC 7518 section 4.6, for the content key itself.
sub agree {
    my ($kind, $enc, $header) = @_;

    my $epk = Crypt::PK::ECC->new;
    $epk->generate_key($kind eq 'ec' ? 'secp256r1' : $kind);
    my $z = $epk->shared_secret(pair($kind));

    $header->{epk} = { map { $_ => $json->decode(
        $epk->export_key_jwk('public'))->{$_} } qw(kty crv x y) };

    my $len = $enc{$enc}[0];
    my $info = join '', map({ pack 'N/a*', $_ } $enc,
        map { unb64u($header->{$_} // '') } qw(apu apv)), pack 'N', $len * 8;
    my $key = join '', map { sha256(pack('N', $_) . $z . $info) } 1, 2;
    return substr $key, 0, $len;
}


sub seal {
    my ($enc, $cek, $iv, $aad, $text) = @_;

    return gcm_encrypt_authenticate('AES', $cek, $iv, $aad, $text)
        if $enc =~ /GCM/;

    my $half = length($cek) / 2;
    my ($mac_key, $key) = unpack "a${half}a$half", $cek;
    my $ct = Crypt::Mode::CBC->new('AES')->encrypt($text, $key, $iv);
    my $mac = hmac($enc{$enc}[3], $mac_key,
                   $aad . $iv . $ct . pack 'Q>', 8 * length $aad);
    return ($ct, substr $mac, 0, $half);
}


# alg, enc  what the header says and what is done
# key       the bytes of a symmetric key; "to" is rsa, ec, secp384r1 ...
# header    members to set; undef takes one away. head: bytes instead of it
sub encrypt {
    my ($text, %opt) = @_;

    my $alg = $opt{alg} // 'RSA-OAEP';
    my $enc = $opt{enc} // 'A256GCM';
    my ($size, $ivsize) = @{ $enc{$enc} };
    my %header = (alg => $alg, enc => $enc, cty => 'JWT');
    my ($cek, $wrapped) = (random_bytes($size), '');

    if ($alg eq 'dir') {
        $cek = $opt{key};

    } elsif ($alg eq 'ECDH-ES') {
        $header{$_} = $opt{header}{$_} for grep { $opt{header}{$_} }
                                                qw(apu apv);
        $cek = agree($opt{to} // 'ec', $enc, \%header);

    } elsif ($alg =~ /KW/) {
        $wrapped = wrap($opt{key}, $cek);

    } else {
        my @padding = $alg eq 'RSA1_5' ? 'v1.5'
            : ('oaep', $alg =~ /256/ ? 'SHA256' : 'SHA1');
        $wrapped = pair('rsa')->encrypt($cek, @padding);
    }

    %header = (%header, %{ $opt{header} || {} });
    delete $header{$_} for grep { !defined $header{$_} } keys %header;

    my $head = b64u($opt{head} // $json->encode(\%header));
    my $iv = random_bytes($ivsize);
    my ($ct, $tag) = seal($enc, $cek, $iv, $head, $text);
    return join '.', $head, map { b64u($_) } $wrapped, $iv, $ct, $tag;
}


sub part {
    my ($text, $n, $change) = @_;

    my @part = split /\./, $text, -1;
    $part[$n] = b64u($change->(unb64u($part[$n])));
    return join '.', @part;
}


sub raw_part {
    my ($text, $n, $raw) = @_;

    my @part = split /\./, $text, -1;
    $part[$n] = $raw;
    return join '.', @part;
}


1;
