# Client certificates: the connection's own, that nginx trusts, by the digest
# the command has written down; never from a header, and nothing beside
# another credential.

use strict;
use warnings;

use Cwd qw(abs_path);
use Test::More;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;

my $DATA = abs_path('t/data');
my $PORT = $ENV{TEST_NGINX_FREE_PORT_1};

redis_start();

my $nginx = store_nginx(http => tls('on', $PORT)
                            . tls('optional', $ENV{TEST_NGINX_FREE_PORT_2})
                            . tls('optional_no_ca',
                                  $ENV{TEST_NGINX_FREE_PORT_3}));


# A TLS server that asks for a certificate in this way.
sub tls {
    my ($verify, $port) = @_;

    my $trusted = $verify eq 'optional_no_ca' ? 'tls-other-ca' : 'tls-ca';
    return <<"END";
server {
    listen 127.0.0.1:$port ssl http2;
    ssl_certificate $DATA/tls-server.pem;
    ssl_certificate_key $DATA/tls-server.key;
    ssl_client_certificate $DATA/$trusted.pem;
    ssl_verify_client $verify;
    root html;
    proxy_user on;
    proxy_user_credential bearer certificate api_key=X-API-Key;
    add_header X-Seen "\$proxy_user_reason|\$proxy_user_credential|\$proxy_user_handle|\$proxy_user_roles|\$proxy_user_name" always;
    location / { try_files /index.html =404; }
    location = /bearer {
        proxy_user_credential bearer;
        try_files /index.html =404;
    }
    location = /optional {
        proxy_user optional;
        try_files /index.html =404;
    }
}
END
}

sub command {
    my ($code, $text) = proxy_user(@_);

    chomp $text;
    die "@_: $text\n" if $code;
    return $text;
}

# What a client sees: status, then what nginx knew.
sub seen {
    my ($uri, @options) = @_;

    my $port = $PORT;
    $port = shift @options if @options && $options[0] =~ /^\d+$/;

    open my $curl, '-|', 'curl', '-s', '-m', 20, '-D', '-', '-o', '/dev/null',
        '--cacert', "$DATA/tls-ca.pem", @options,
        "https://localhost:$port$uri", '--resolve',
        "localhost:$port:127.0.0.1" or die "curl: $!\n";
    my $text = do { local $/; <$curl> } // '';
    close $curl;

    my ($status) = $text =~ m{\AHTTP/\S+ (\d+)};
    my ($known) = $text =~ /^x-seen: (.*?)\r?$/mi;
    return ($status // 'none') . ' ' . ($known // '');
}

my @cert = ('--cert', "$DATA/tls-client.pem", '--key',
            "$DATA/tls-client.key");

chomp(my $hex = `openssl x509 -in $DATA/tls-client.pem -outform DER | openssl dgst -sha256 -r`);
my $digest = b64u(pack 'H*', substr $hex, 0, 64);

command(qw(user create --user-name batch --type service --role reader),
        qw(--role admin));


subtest 'a certificate that nobody has' => sub {
    like(seen('/', @cert), qr/^401 certificate_unknown\|/, 'is unknown');
    like(seen('/optional', @cert), qr/^401 certificate_unknown\|/,
         'also where none is needed: a bad one is refused');
    like(seen('/bearer', @cert), qr/^401 no_credential\|/,
         'where it is not named it is none');
};


subtest 'a certificate stands for its user' => sub {
    like(command(qw(cert add name:batch), "$DATA/tls-client.pem",
                 qw(--role reader)), qr/^certificate \Q$digest\E stands/,
         'added');

    is(seen('/', @cert), "200 ok|certificate|$digest|reader|batch",
       'let in, with its digest and caps');
    is(seen('/', '--http2', @cert),
       "200 ok|certificate|$digest|reader|batch", 'over HTTP/2');
    is(seen('/', $ENV{TEST_NGINX_FREE_PORT_2}, @cert),
       "200 ok|certificate|$digest|reader|batch", 'where it is optional');
    ok(defined within(5, sub { redis('EXISTS', "{pu}:used:$digest") }),
       'its use is recorded');
    my ($listed) = grep { /^\Q$digest\E / }
        split /\n/, command(qw(cert list name:batch));
    like($listed, qr/ active .* reader /, 'listed');
};


subtest 'no certificate' => sub {
    my $port = $ENV{TEST_NGINX_FREE_PORT_2};

    like(seen('/', $port), qr/^401 no_credential\|/, 'none shown');
    like(seen('/', $port, '-H', "X-SSL-Client-Cert: $digest", '-H',
              "X-Client-Cert: $digest", '-H', "SSL-Client-Verify: SUCCESS"),
         qr/^401 no_credential\|/, 'no header stands for one');
    like(seen('/', $ENV{TEST_NGINX_FREE_PORT_3}, @cert),
         qr/^401 no_credential\|/, 'one that nginx does not trust is none');
    is(verdict($nginx, undef), '401 no_credential', 'without TLS');
};


subtest 'beside another credential it is nothing' => sub {
    my $token = token();
    my $key = command(qw(key create name:batch));

    like(seen('/', @cert, '-H', "Authorization: Bearer $token"),
         qr/^200 ok\|bearer\|/, 'a token');
    like(seen('/', @cert, '-H', 'Authorization: Bearer junk'),
         qr/^401 token_malformed\|/, 'a bad token');
    is(seen('/', @cert, '-H', "X-API-Key: $key"),
       '200 ok|api_key|' . substr($key, 4, 10) . '|admin reader|batch',
       'a key');
    like(seen('/', @cert, '-H', "X-API-Key: $key", '-H',
              "Authorization: Bearer $token"),
         qr/^400 credential_ambiguous\|/, 'two others are two');
};


subtest 'revoked' => sub {
    command(qw(cert revoke name:batch), $digest);
    ok(defined within(5, sub {
        seen('/', @cert) =~ /^401 certificate_unknown\|/
    }), 'unknown again');
    command(qw(cert add name:batch), "$DATA/tls-client.pem", '--expires',
            '2s');
    ok(defined within(5, sub { seen('/', @cert) =~ /^200 / }),
       'added once more');
    ok(defined within(20, sub {
        seen('/', @cert) =~ /^401 certificate_unknown\|/
    }), 'until it ends');
};


ok(!trouble($nginx->log), 'nothing alarming was logged');

done_testing();
