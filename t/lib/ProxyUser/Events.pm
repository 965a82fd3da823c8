package ProxyUser::Events;

# A provider that tells of events, as the tests need one: tokens of each kind,
# good and bad, and how they are posted.
#
#   logout(sub => 'alice', nonce => 'x')    text of a logout token; claims as in
#                                           ProxyUser::Token: undef takes away
#   event('session-revoked', sub => 'alice', payload => {...}, claims => {...},
#         header => {...}, alg => ..., key => ...)       a security event token
#   revocation(aud => $url, ...)            the token of a global revocation
#   post_logout($nginx, $token), post_event($nginx, $token),
#   post_global($nginx, $token, $sub_id)    an answer, with {json} and {said}:
#                                           its error word, or empty
#   post($nginx, $type, $body, headers => [...])
#   events_location(more => ..., args => ...)   "location = /events"
#   iss_sub('alice')                        a subject identifier
#
# With opt => [...] in logout and revocation: what token() takes besides.

use strict;
use warnings;

use Exporter qw(import);
use JSON::PP ();

use ProxyUser::Token qw(token issuer_url);

our @EXPORT = qw(
    logout event revocation post post_logout post_event post_global
    events_location iss_sub uri_of
);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $number = 0;

my %spec = (
    (map { ($_ => 'caep') } qw(session-revoked credential-change
                               token-claims-change)),
    (map { ($_ => 'risc') } qw(account-disabled account-enabled account-purged
                               sessions-revoked)),
    (map { ($_ => 'ssf') } qw(verification stream-updated)),
);


sub uri_of {
    my ($word) = @_;

    return $word =~ /:/ ? $word
        : "https://schemas.openid.net/secevent/$spec{$word}/event-type/$word";
}


sub iss_sub {
    my ($sub, $iss) = @_;

    return { format => 'iss_sub', iss => $iss // issuer_url(), sub => $sub };
}


sub logout {
    my (%claims) = @_;
    my @opt = @{ delete $claims{opt} // [] };
    my %opt = @opt;
    my $header = delete $opt{header} // {};

    return token(%opt, header => { typ => 'logout+jwt', %$header }, claims => {
        iat => time, exp => time + 120, jti => 'l-' . ++$number . "-$$",
        events => { 'http://schemas.openid.net/event/backchannel-logout'
                    => {} },
        %claims });
}


sub event {
    my ($word, %opt) = @_;
    my $sub = delete $opt{sub};
    my $payload = delete $opt{payload} // {};
    my $claims = delete $opt{claims} // {};
    my $header = delete $opt{header} // {};

    return token(%opt, header => { typ => 'secevent+jwt', %$header },
        claims => {
            iat => time, exp => undef, sub => undef,
            jti => 'e-' . ++$number . "-$$",
            events => { uri_of($word) => $payload },
            defined $sub ? (sub_id => iss_sub($sub)) : (), %$claims });
}


sub revocation {
    my (%claims) = @_;
    my %opt = @{ delete $claims{opt} // [] };
    my $header = delete $opt{header} // {};

    return token(%opt, claims => {
        sub => 'client', iat => undef, nbf => time - 5, exp => time + 300,
        jti => 'g-' . ++$number . "-$$", aud => 'http://localhost/events',
        %claims },
        header => { typ => 'global-token-revocation+jwt', %$header });
}


sub post {
    my ($nginx, $type, $body, %opt) = @_;
    my @header = @{ delete $opt{headers} // [] };
    my $uri = delete $opt{uri} // '/events';

    push @header, ['Content-Type' => $type] if defined $type;
    my $c = $nginx->connect;
    $c->ask('POST', $uri, headers => \@header, body => $body, close => 1,
            %opt);
    my $r = $c->answer(timeout => 30)
        or die "no answer\n" . $nginx->log;
    $c->close;

    $r->{json} = eval { $json->decode($r->{body}) };
    $r->{said} = ref $r->{json} eq 'HASH'
        ? $r->{json}{err} // $r->{json}{error} // '' : '';
    $r->{why} = ref $r->{json} eq 'HASH'
        ? $r->{json}{description} // $r->{json}{error_description} // '' : '';
    return $r;
}


sub post_logout {
    my ($nginx, $token, %opt) = @_;

    return post($nginx, 'application/x-www-form-urlencoded',
                "logout_token=$token", %opt);
}


sub post_event {
    my ($nginx, $token, %opt) = @_;

    return post($nginx, 'application/secevent+jwt', $token, %opt);
}


sub post_global {
    my ($nginx, $token, $id, %opt) = @_;
    my $body = ref $id ? $json->encode({ sub_id => $id }) : $id;

    push @{ $opt{headers} }, [Authorization => "Bearer $token"]
        if defined $token;
    return post($nginx, 'application/json', $body, %opt);
}


sub events_location {
    my (%opt) = @_;
    my $issuer = $opt{issuer} // 'idp';
    my $args = $opt{args} // '';
    my $more = $opt{more} // '';

    return <<"END";
location = /events {
    proxy_user_events issuer=$issuer $args;
    $more
}
END
}


1;
