package ProxyUser::Faults::Issuer;

# What an identity provider can do to nginx when it is asked for its keys:
# first while nginx has them already and asks again because of a key that it
# does not know, then to an nginx that has none.
#
#   my @line = issuer_faults(each => sub { ... }, only => qr/gzip/);
#
# Keys that are known stay in use whatever the provider says; without any,
# every token is 503 until it says something right. No answer of a provider
# makes a token good.

use strict;
use warnings;

use Exporter qw(import);
use Time::HiRes qw(sleep);

use ProxyUser;
use ProxyUser::Faults;
use ProxyUser::Store qw(as store_server);

our @EXPORT = qw(issuer_faults);

my $LIMIT = 1 + 1;              # timeout and what a busy machine needs
my $UNAVAILABLE = qr/^503 issuer_unavailable$/;
my $DATA = ProxyUser::Token::DATA;
my ($idp, $set);


sub start {
    my ($line) = @_;

    return start_nginx(workers => 2, server => store_server(),
                       http => <<"END");
proxy_user_redis unix:\$TEST_NGINX_REDIS_SOCKET timeout=1s;
proxy_user_issuer idp {
    issuer @{[ issuer_url() ]};
    audience api;
    $line
    timeout 1s;
}
END
}


sub callers {
    my ($cold) = @_;

    my $known = as('known');
    my @unsure = $cold ? (also => $UNAVAILABLE) : ();

    return (
        caller_of('known', token => $known, allow => 1, @unsure,
                  id => qr/^\Q@{[ user_id(1) ]}\E$/, right => qr/^200 ok$/),
        caller_of('new', token => sub { as("i-$_[0]") }, allow => 1,
                  right => qr/^200 ok$/, @unsure),
        caller_of('suspended', token => as('gone'), @unsure,
                  right => qr/^403 user_suspended$/),
        caller_of('forged', right => qr/^401 token_signature$/, @unsure,
                  token => tamper($known, 2, sub { $_[0] ^ "\1" })),
        # Whether there is such a key nobody can say while nobody answers.
        caller_of('another key', also => $UNAVAILABLE,
                  token => token(key => 'rsa2', claims => { sub => 'known' }),
                  right => qr/^401 token_key_unknown$/),
        caller_of('nobody', right => qr/^401 no_credential$/),
    );
}


# A set with a key of the attacker's would do as well if it were believed.
my @fault = (
    ['refuses connections', undef],
    ['hangs', mode => 'stall'],
    ['one byte a second', mode => 'drip'],
    ['ends the connection within the keys', mode => 'cut'],
    ['bytes that mean nothing', mode => 'raw', bytes => "\0\xff\1\n\n"],
    ['a body that is no JSON', body => '<html>'],
    ['status 500', status => 500],
    ['a redirect to another origin', status => 302,
     headers => { Location => 'http://localhost:1/jwks' }],
    ['a body of 1 GB', mode => 'endless', body => ' ' x 8192,
     blocks => 131_072],
    ['a Content-Length too large', headers => { 'Content-Length' => 99_999 },
     mode => 'cut'],
    ['a Content-Length too small', headers => { 'Content-Length' => 99 }],
    ['a gzip', headers => { 'Content-Encoding' => 'gzip' }],
);


sub issuer_faults {
    my (%opt) = @_;

    redis_start();
    seed_user(id => user_id(1), sub => 'known');
    seed_user(id => user_id(2), sub => 'gone', state => 'suspended');
    $set = jwks(jwk('rsa1'), jwk('ec256'));
    $idp = fake_issuer();
    my @line;

    for (@fault) {
        my ($title, @how) = @$_;
        next unless "provider: $title" =~ ($opt{only} // qr/./);
        my @answer = defined $how[0] ? (body => $set, @how) : ();
        push @line, both($title, "$idp->{url}/jwks", \%opt,
                         @answer ? sub { $idp->on('/jwks', @answer) } : undef,
                         sub { $idp->on('/jwks', body => $set) });
    }

    push @line, wrong_name(\%opt)
        if 'provider: TLS with a wrong name' =~ ($opt{only} // qr/./);
    return @line;
}


# One nginx with keys and one without.
sub both {
    my ($title, $url, $opt, $break, $mend) = @_;

    # Nobody listens at all: what is asked for stands elsewhere meanwhile.
    my $relay = $break ? undef : free_port();
    my $at = $relay ? "http://127.0.0.1:$relay/jwks" : $url;
    my $web;

    if ($relay) {
        $break = sub { $web->stop('TERM') if $web; undef $web };
        $mend = sub { $web //= relay($relay) };
        $idp->on('/jwks', body => $set);
    }

    my @line;
    $mend->();
    my $nginx = start("jwks_uri $at;");
    my @caller = callers(0);
    $nginx->ask($_->{ask}->('warm')) for @caller[0 .. 3, 0 .. 3];
    push @line, one("provider: $title", $nginx, \@caller, $opt, $break,
                    $mend);
    $nginx->stop;

    $break->();
    $nginx = start("jwks_uri $at;");
    push @line, one("provider: $title, before nginx has keys", $nginx,
                    [callers(1)], $opt, undef, $mend);
    $nginx->stop;
    $web->stop if $web;
    return @line;
}


sub one {
    my ($title, $nginx, $caller, $opt, $break, $mend) = @_;

    my $line = new_line($title, nginx => $nginx, limit => $LIMIT);
    run_load($line, callers => $caller, seconds => $opt->{seconds} // 2,
             begin => $break, end => $mend);
    $opt->{each}->($line) if $opt->{each};
    return $line;
}


sub relay {
    my ($port) = @_;

    return start_nginx(bare => 1, http => <<"END");
server {
    listen 127.0.0.1:$port;
    location / { proxy_pass $idp->{url}; }
}
END
}


# 127.0.0.2 is not in the certificate; the right name is there after a reload.
sub wrong_name {
    my ($opt) = @_;

    my $port = free_port();
    my $web = start_nginx(bare => 1, http => <<"END");
server {
    listen 127.0.0.1:$port ssl;
    listen 127.0.0.2:$port ssl;
    ssl_certificate $DATA/tls-server.pem;
    ssl_certificate_key $DATA/tls-server.key;
    location / { root $ENV{TEST_NGINX_TMP}; }
}
END
    write_file('keys.json', $set);
    my $nginx = start("jwks_uri https://127.0.0.2:$port/keys.json; "
                      . "ca_file $DATA/tls-ca.pem;");
    my $line = new_line('provider: TLS with a wrong name', nginx => $nginx,
                        limit => $LIMIT, changing => 1);
    my $conf = "$nginx->{root}/conf/nginx.conf";

    run_load($line, callers => [callers(1)], seconds => $opt->{seconds} // 2,
        end => sub {
            write_file($conf, read_file($conf)
                              =~ s/127\.0\.0\.2:$port/127.0.0.1:$port/r);
            $nginx->reload or die "no reload: ", $nginx->log;
        });
    $nginx->stop;
    $web->stop;
    $opt->{each}->($line) if $opt->{each};
    return $line;
}


1;
