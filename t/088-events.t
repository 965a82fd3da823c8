# What a provider says has happened: logged out, revoked, disabled, enabled,
# gone. Each kind is verified in full, done once, and in force everywhere; what
# is none is refused and changes nothing.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Events;
use ProxyUser::Store;
use Test::More;

use Digest::SHA ();
use Time::HiRes qw(sleep time);

my $redis = redis_start();
my $users = 0;
my @seconds;        # until what was answered was in force in both

sub server { store_server(join '', events_location(), @_) }

# One beside others.
sub gate {
    local $ENV{TEST_NGINX_BACKEND_PORT} = free_port();
    return start_nginx(@_);
}

# Two of them, on one Redis.
my ($nginx, $other) = map {
    gate(workers => 2, http => store_http(), server => server(<<'END'))
location = /limited {
    proxy_user_events issuer=idp;
    client_max_body_size 1k;
}
location = /within {
    proxy_user_events issuer=idp;
    if ($arg_if) { set $x 1; }
    limit_except POST PUT { deny all; }
}
location = /client {
    proxy_user_events issuer=idp audience=website
                      audience=https://gate.example.com/events;
}
END
} 1 .. 2;
warm($_) for $nginx, $other;

# Somebody nobody has heard of yet: a token, an id, a subject.
sub person {
    my (%opt) = @_;
    my $sub = 'p-' . ++$users;
    my $id = seed_user(id => user_id(1000 + $users), sub => $sub, %opt);

    return (token(claims => { sub => $sub, iat => int(time) - 5 }), $id, $sub);
}

sub field { redis('HGET', "{pu}:user:$_[0]", $_[1]) // '' }

sub entries {
    my ($id) = @_;

    return grep { $_->{user} eq $id }
        map { +{ @{ $_->[1] } } } @{ redis('XRANGE', '{pu}:log', '-', '+') };
}

sub last_entry {
    my ($entry) = reverse entries($_[0]);

    return $entry ? join ' ', @$entry{qw(op actor source reason)} : '';
}

# Everywhere within a bounded time.
sub becomes {
    my ($token, $verdict, $title) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my %got;
    my $s = within(10, sub {
        @got{0, 1} = map { verdict($_, $token) } $nginx, $other;
        $got{0} eq $verdict && $got{1} eq $verdict;
    });
    ok defined $s, $title or diag "$got{0}, $got{1}";
    push @seconds, $s if defined $s;
}

sub known {
    my ($token) = @_;

    return cached($nginx, $token) && cached($other, $token);
}

# A request that is refused: the status, the word, and nothing done.
sub refused {
    my ($title, $r, $status, $said) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;

    is "$r->{status} $r->{said}", "$status $said", $title
        or diag $r->{raw};
}


subtest 'a real provider logs somebody out' => sub {
    my $port = free_port();
    my $issuer = "http://127.0.0.1:$port";
    my $gate = gate(http => store_http() . <<"END",
proxy_user_issuer idp {
    issuer $issuer;
    audience api website;
}
END
        server => server());
    my $back = "http://127.0.0.1:$gate->{port}/events";

    pipe my $in, my $say or die "pipe: $!\n";
    my $pid = open my $out, '-|' // die "fork: $!\n";
    if ($pid == 0) {
        open STDIN, '<&', $in;
        open STDERR, '>', '/dev/null';
        exec mortal('TERM'), 'tools/node', 't/npm/logout.mjs', $issuer, $back
            or exit 127;
    }
    close $in;
    $say->autoflush;

    my $line = sub { my $text = <$out> // 'nothing'; chomp $text; $text };
    my $next = sub { print $say "$_[0]\n"; return $line->() };

    is $line->(), 'ready', 'it is there';
    my ($token) = $next->('login') =~ /^token (\S+)/;
    ok $token, 'alice has logged in' or return;

    my ($seen) = ask($gate, $token);
    ok defined within(10, sub { ($seen = ask($gate, $token))->{status}
                                == 200 }),
        'and is let in, with a user made for her' or diag $seen->{reason};
    is field($seen->{id}, 'epoch'), 0, 'nothing is revoked';

    # a token is dead that was issued in the second of the log-out or before
    sleep 1.1;
    is $next->('logout'), 'told website alice', 'it has told us';
    is $line->(), 'out', 'and she is out';
    ok defined within(10, sub { verdict($gate, $token)
                                eq '401 token_revoked' }),
        'her token is dead';
    is last_entry($seen->{id}), 'revoke idp events backchannel-logout',
        'it is in the log';

    sleep 1.1;
    my ($again) = $next->('login') =~ /^token (\S+)/;
    is verdict($gate, $again), '200 ok', 'she may come again';

    kill TERM => $pid;
    close $say;
    close $out;
    $gate->stop;
};


subtest 'a logout' => sub {
    my ($token, $id, $sub) = person();
    my ($neighbour) = person();

    ok known($token) && known($neighbour), 'two are known';
    my $r = post_logout($nginx, logout(sub => $sub, sid => 's'));
    is $r->{status}, 200, 'is taken';
    is $r->{headers}{'cache-control'}, 'no-store', 'and not stored';
    is $r->{body}, '', 'without a word';
    becomes($token, '401 token_revoked', 'his token is dead, everywhere');
    is verdict($nginx, $neighbour), '200 ok', 'the neighbour is untouched';
    is last_entry($id), 'revoke idp events backchannel-logout', 'one entry';
    is scalar(entries($id)), 1, 'not two';
    cmp_ok field($id, 'epoch'), '>=', int(time) - 60, 'from now on';

    for my $case (
        ['no typ', { typ => undef }], ['JWT', { typ => 'JWT' }],
        ['capitals', { typ => 'Logout+JWT' }],
        ['the long form', { typ => 'application/logout+jwt' }])
    {
        my (undef, $id, $sub) = person();
        is post_logout($nginx, logout(sub => $sub, opt =>
            [header => $case->[1]]))->{status}, 200, "typ: $case->[0]";
        is scalar(entries($id)), 1, 'it is done';
    }

    is post_logout($nginx, logout(sub => 'nobody-we-know'))->{status}, 200,
        'of somebody who was never here';

    my $text = logout(sub => $sub);
    $text =~ s/\./%2E/;
    is post($nginx, 'application/x-www-form-urlencoded; charset=utf-8',
            "a=b&logout_token=$text&c=")->{status}, 200,
        'in a form with more in it';
};


subtest 'what is no logout' => sub {
    my ($token, $id, $sub) = person();
    my $now = int time;
    my $uri = 'http://schemas.openid.net/event/backchannel-logout';
    my $with = sub { logout(sub => $sub, @_) };
    my $head = sub { $with->(opt => [header => { @_ }]) };

    for my $case (
        ['E2: another issuer', $with->(iss => 'https://else.example.com')],
        ['no issuer', $with->(iss => undef)],
        ['E2: another audience', $with->(aud => 'website')],
        ['no audience', $with->(aud => undef)],
        ['no iat', $with->(iat => undef)],
        ['E4: a day old', $with->(iat => $now - 90000)],
        ['E4: of tomorrow', $with->(iat => $now + 3600)],
        ['E4: no exp', $with->(exp => undef)],
        ['E4: expired', $with->(exp => $now - 60)],
        ['exp in words', $with->(exp => 'soon')],
        ['not yet', $with->(nbf => $now + 600)],
        ['E5: no jti', $with->(jti => undef)],
        ['an empty jti', $with->(jti => '')],
        ['a jti that is a number', $with->(jti => 5)],
        ['a long jti', $with->(jti => 'x' x 256)],
        ['E6: a nonce', $with->(nonce => 'n')],
        ['a nonce of null', $with->(nonce => null())],
        ['E6: no events', $with->(events => undef)],
        ['events in a list', $with->(events => [$uri])],
        ['other events', $with->(events => { 'urn:x' => {} })],
        ['no object', $with->(events => { $uri => 1 })],
        ['E6: a session alone', $with->(sub => undef, sid => 's')],
        ['an empty subject', $with->(sub => '')],
        ['a subject with a line end', $with->(sub => "$sub\n")],
        ['E1: typ of an access token', $head->(typ => 'at+jwt')],
        ['E1: typ of an event', $head->(typ => 'secevent+jwt')],
        ['E1: typ of a revocation',
         $head->(typ => 'global-token-revocation+jwt')],
        ['typ of a proof', $head->(typ => 'dpop+jwt')],
        ['typ in a list', $head->(typ => ['logout+jwt'])],
        ['E1: an access token', $token],
        ['E1: an event', event('session-revoked', sub => $sub)],
        ['E1: a revocation', revocation()],
        ['E3: another key', $with->(opt => [key => 'rsa2', kid => 'rsa1'])],
        ['a key nobody has', $with->(opt => [kid => 'x'])],
        ['a byte changed', tamper($with->(), 2, sub {
            $_[0] ^ ("\1" . "\0" x 255) })],
        ['other claims', tamper($with->(), 1, sub { $_[0] =~ s/p-/q-/r })],
        ['E3: HS256', $with->(opt => [alg => 'HS256', kid => undef])],
        ['E3: none', join '.', b64u('{"alg":"none","typ":"logout+jwt"}'),
         (split /\./, $with->())[1], ''],
        ['crit', $head->(crit => ['x'])],
        ['a part less', 'a.b'], ['nothing', ''], ['garbage', '%%%'],
        ['garbage that is decoded', '%00%ff'],
        ['twice', $with->() . '&logout_token=' . $with->()])
    {
        my ($title, $text) = @$case;
        refused($title, post_logout($nginx, $text), 400, 'invalid_request');
    }

    my $r = post($nginx, 'application/x-www-form-urlencoded', 'token=x');
    refused('a form without one', $r, 400, 'invalid_request');
    is $r->{headers}{'content-type'}, 'application/json', 'as JSON';
    is $r->{headers}{'cache-control'}, 'no-store', 'not stored';
    is $r->{why}, 'there is no logout_token', 'in words';

    my $good = $with->();
    is post_logout($nginx, $good)->{status}, 200, 'a good one';
    $r = post_logout($other, $good);
    refused('E5: and the same again', $r, 400, 'invalid_request');
    is $r->{why}, 'this token has been used before', 'which is said';
    is scalar(entries($id)), 1, 'all that was one change';
};


subtest 'a session was revoked' => sub {
    my ($token, $id, $sub) = person();

    ok known($token), 'somebody is known';
    my $set = event('session-revoked', sub => $sub,
                    payload => { event_timestamp => int(time) - 4 });
    my $r = post_event($nginx, $set);
    is "$r->{status} $r->{body}", '202 ', 'is taken';
    becomes($token, '401 token_revoked', 'his token is dead, everywhere');
    is last_entry($id), 'revoke idp events session-revoked', 'an entry';

    my $epoch = field($id, 'epoch');
    sleep 1.1;
    $r = post_event($other, $set);
    is "$r->{status} $r->{body}", '202 ', 'the same again is taken';
    is field($id, 'epoch'), $epoch, 'and does nothing';
    is scalar(entries($id)), 1, 'nothing at all';

    my $now = int time;
    for my $case (
        ['sessions-revoked', 'sessions-revoked', {}],
        ['credential-change', 'credential-change: revoke',
         { change_type => 'revoke', credential_type => 'password' }],
        ['credential-change', 'credential-change: update',
         { change_type => 'update' }],
        ['credential-change', 'credential-change: delete',
         { change_type => 'delete' }],
        ['session-revoked', 'milliseconds', { event_timestamp =>
                                              $now * 1000 }],
        ['session-revoked', 'more than is known', { reason_admin =>
                                             { en => 'Landspeed' } }])
    {
        my ($word, $title, $payload) = @$case;
        my (undef, $id, $sub) = person();
        is post_event($nginx, event($word, sub => $sub,
                      payload => $payload))->{status}, 202, $title;
        is last_entry($id), "revoke idp events $word", 'it is done';
    }

    for my $case (
        ['within the event, as Okta has it', iss_sub('SUB')],
        ['the user of a complex one within',
         { user => iss_sub('SUB'), tenant => iss_sub('t') }])
    {
        my (undef, $id, $sub) = person();
        my $subject = $case->[1];
        ($subject->{user} // $subject)->{sub} = $sub;
        is post_event($nginx, event('session-revoked',
            payload => { subject => $subject,
                         event_timestamp => $now * 1000 }))->{status}, 202,
            "a subject $case->[0]";
        is scalar(entries($id)), 1, 'is found';
    }

    my (undef, $complex, $name) = person();
    is post_event($nginx, event('session-revoked', claims => { sub_id => {
        format => 'complex', user => iss_sub($name),
        session => { format => 'opaque', id => 's' } } }))->{status}, 202,
        'a complex one';
    is scalar(entries($complex)), 1, 'is found by its user';
};


subtest 'what changes nothing' => sub {
    my ($token, $id, $sub) = person();
    my $before = everything();

    for my $case (
        ['verification', claims => { sub_id => { format => 'opaque',
                                                 id => 'stream' } },
         payload => { state => 'x' }],
        ['stream-updated', payload => { status => 'paused' }],
        ['credential-change', sub => $sub,
         payload => { change_type => 'create' }],
        ['token-claims-change', sub => $sub],
        ['https://example.com/event-type/unheard-of', sub => $sub],
        ['urn:x"' . ('y' x 3000), sub => $sub])
    {
        my ($word, %opt) = @$case;
        my $r = post_event($nginx, event($word, %opt));
        is "$r->{status} $r->{body}", '202 ', substr $word, 0, 60;
    }

    is_deeply everything(), $before, 'Redis is as it was';
    ok $nginx->wait_log(qr{changes nothing: unknown https://example\.com/}),
        'the log tells';
    is scalar(lines($nginx->log, qr/unheard-of/)), 1, 'once';
    unlike $nginx->log, qr/urn:x/, 'and nothing of what it should not have';

    is post_event($nginx, event('account-disabled', sub => 'nobody'))
        ->{status}, 202, 'of somebody who was never here';
    is post_event($nginx, event('account-purged', claims => {
        sub_id => iss_sub($sub, 'https://else.example.com') }))->{status},
        202, 'of another issuer\'s';
    is scalar(entries($id)), 0, 'which is somebody else';
    is verdict($nginx, $token), '200 ok', 'all are let in';
};


subtest 'what is no event' => sub {
    my ($token, $id, $sub) = person();
    my $now = int time;
    my $with = sub { event('session-revoked', sub => $sub, claims => { @_ }) };
    my $opt = sub { event('session-revoked', sub => $sub, @_) };
    my $id_of = sub { $with->(sub_id => $_[0]) };

    for my $case (
        ['E2: another issuer', $with->(iss => 'https://else.example.com'),
         'invalid_issuer'],
        ['no issuer', $with->(iss => undef), 'invalid_issuer'],
        ['E2: another audience', $with->(aud => ['x', 'y']),
         'invalid_audience'],
        ['no audience', $with->(aud => undef), 'invalid_audience'],
        ['E3: another key', $opt->(key => 'rsa2', kid => 'rsa1'),
         'authentication_failed'],
        ['a key nobody has', $opt->(kid => 'x'), 'invalid_key'],
        ['E3: HS256', $opt->(alg => 'HS256', kid => undef), 'invalid_key'],
        ['E3: none', join('.', b64u('{"alg":"none","typ":"secevent+jwt"}'),
                      (split /\./, $with->())[1], 'AA'), 'invalid_key'],
        ['E4: exp', $with->(exp => $now + 300)],
        ['E6: sub', $with->(sub => $sub)],
        ['no iat', $with->(iat => undef)],
        ['E4: a day old', $with->(iat => $now - 90000)],
        ['E4: of tomorrow', $with->(iat => $now + 3600)],
        ['E5: no jti', $with->(jti => undef)],
        ['E1: no typ', $opt->(header => { typ => undef })],
        ['E1: typ JWT', $opt->(header => { typ => 'JWT' })],
        ['E1: typ of a logout', $opt->(header => { typ => 'logout+jwt' })],
        ['E1: typ of an access token', $opt->(header => { typ => 'at+jwt' })],
        ['E1: typ of a revocation', $opt->(header => {
            typ => 'global-token-revocation+jwt' })],
        ['E1: an access token', $token],
        ['E1: a logout', logout(sub => $sub)],
        ['E1: a revocation', revocation()],
        ['E6: no events', $with->(events => undef)],
        ['an empty object', $with->(events => {})],
        ['E6: two events', $with->(events => {
            uri_of('session-revoked') => {}, uri_of('verification') => {} })],
        ['twice the same', token(header => { typ => 'secevent+jwt' },
            payload => '{"iss":"' . issuer_url() . '","aud":"api","jti":"x",'
            . "\"iat\":$now,\"events\":{\"a\":{},\"a\":{}}}")],
        ['no object', $with->(events => { uri_of('session-revoked') => 1 })],
        ['no subject', event('session-revoked')],
        ['a subject in words', $id_of->($sub)],
        ['no format', $id_of->({ iss => issuer_url(), sub => $sub })],
        ['an unheard-of format', $id_of->({ format => 'aliases',
            identifiers => [iss_sub($sub)] })],
        ['E7: opaque', $id_of->({ format => 'opaque', id => $sub })],
        ['E7: email', $id_of->({ format => 'email', email => $sub })],
        ['no sub', $id_of->({ format => 'iss_sub', iss => issuer_url() })],
        ['no iss', $id_of->({ format => 'iss_sub', sub => $sub })],
        ['a NUL', $id_of->(iss_sub("$sub\0"))],
        ['complex without a user', $id_of->({ format => 'complex',
            tenant => iss_sub($sub) })],
        ['no change_type', event('credential-change', sub => $sub)],
        ['an unheard-of change_type', event('credential-change', sub => $sub,
            payload => { change_type => 'x' })],
        ['a time in words', $opt->(payload => { event_timestamp => 'now' })],
        ['a time below zero', $opt->(payload => { event_timestamp => -1 })],
        ['garbage', 'x' x 300], ['nothing', ''],
        ['a line end', $with->() . "\n"],
        ['large', $with->(x => 'x' x 20000)])
    {
        my ($title, $text, $said) = @$case;
        refused($title, post_event($nginx, $text), 400,
                $said // 'invalid_request');
    }

    is scalar(entries($id)), 0, 'all that changed nothing';
    is verdict($nginx, $token), '200 ok', 'he is let in';
    unlike $nginx->log, qr/eyJ/, 'no token in the log';
};


subtest 'disabled, enabled, gone' => sub {
    my ($token, $id, $sub) = person();
    my $tell = sub {
        my ($word, %opt) = @_;
        return post_event($nginx, event($word, sub => $sub, %opt))->{status};
    };
    my $now = int time;

    ok known($token), 'somebody is known';
    is $tell->('account-disabled', payload => { reason => 'hijacking' }), 202,
        'disabled';
    becomes($token, '403 user_suspended', 'is refused everywhere');
    is field($id, 'suspended_by'), 'events', 'by an event';
    is last_entry($id), 'suspend idp events account-disabled', 'an entry';
    is $tell->('account-disabled'), 202, 'disabled again';
    is scalar(entries($id)), 1, 'changes nothing';

    is $tell->('account-enabled', payload => { event_timestamp =>
                                               $now - 600 }), 202,
        'an older word that comes late';
    is field($id, 'state'), 'suspended', 'E9: is not the last one';

    is $tell->('account-enabled'), 202, 'enabled';
    becomes($token, '200 ok', 'is let in everywhere');
    is last_entry($id), 'resume idp events account-enabled', 'an entry';

    # What a directory or an administrator has done is theirs.
    redis('HSET', "{pu}:user:$id", 'state', 'suspended', 'suspended_by',
          'scim');
    is $tell->('account-enabled'), 202, 'enabled, but suspended by SCIM';
    is join(' ', field($id, 'state'), field($id, 'suspended_by')),
        'suspended scim', 'stays so';
    is $tell->('account-disabled'), 202, 'disabled as well';
    is field($id, 'suspended_by'), 'scim events', 'by both';
    is $tell->('account-enabled'), 202, 'and enabled';
    is join(' ', field($id, 'state'), field($id, 'suspended_by')),
        'suspended scim', 'which takes back its own alone';
    is last_entry($id), 'update idp events account-enabled', 'an entry';
    becomes($token, '403 user_suspended', 'he is refused');

    is proxy_user(qw(user resume), $id), 0, 'the administrator resumes';
    becomes($token, '200 ok', 'and he is let in');
    is proxy_user(qw(user suspend), $id), 0, 'or suspends';
    is $tell->('account-enabled'), 202, 'and no event';
    is join(' ', field($id, 'state'), field($id, 'suspended_by')),
        'suspended cli', 'takes it back';
};


subtest 'gone is gone' => sub {
    my ($token, $id, $sub) = person(roles => 'admin');
    my $digest = sub { b64u(Digest::SHA::sha256($_[0])) };
    my ($name, $external) = ('{pu}:name:' . $digest->('ada@example.com'),
                             '{pu}:external:' . $digest->('E1'));

    redis('HSET', "{pu}:user:$id", 'user_name', 'Ada@Example.com',
          'external_id', 'E1');
    redis('SET', $name, $id);
    redis('SET', $external, user_id(7));
    ok known($token), 'somebody is known';

    is post_event($nginx, event('account-purged', sub => $sub))->{status},
        202, 'purged';
    becomes($token, '403 user_deleted', 'is refused everywhere');
    is join(' ', field($id, 'state'), field($id, 'roles')), 'deleted ',
        'the user is deleted';
    is redis('GET', $name), undef, 'with the name';
    is redis('GET', $external), user_id(7), 'not with somebody else\'s';
    is last_entry($id), 'delete idp events account-purged', 'an entry';

    for my $word (qw(account-purged account-enabled account-disabled)) {
        is post_event($nginx, event($word, sub => $sub))->{status}, 202,
            "then $word";
    }
    is field($id, 'state'), 'deleted', 'changes nothing';
    is scalar(entries($id)), 1, 'at all';
};


# The port is what the client has named, or the scheme's.
subtest 'a global revocation' => sub {
    my ($token, $id, $sub) = person();

    ok known($token), 'somebody is known';
    my $r = post_global($nginx, revocation(), iss_sub($sub));
    is "$r->{status} $r->{body}", '204 ', 'is done';
    becomes($token, '401 token_revoked', 'his token is dead, everywhere');
    is last_entry($id), 'revoke idp events global-token-revocation',
        'an entry';

    my (undef, $next, $name) = person();
    is post_global($nginx, revocation(aud => 'http://LOCALHOST:80/events?x#y',
            iat => int time), iss_sub($name), uri => '/events?a=b')
        ->{status}, 204, 'by the same url in other words';
    is post_global($nginx, revocation(
            aud => "http://127.0.0.1:$nginx->{port}/events"), iss_sub($name),
            headers => [[Host => "127.0.0.1:$nginx->{port}"]])->{status},
        204, 'by the address';
    is scalar(entries($next)), 2, 'both are done';

    $r = post_global($nginx, revocation(), iss_sub('nobody-here'));
    is "$r->{status} $r->{said}", '404 user_unknown', 'of nobody';
    $r = post_global($nginx, revocation(), iss_sub($sub, 'https://else.x'));
    is $r->{status}, 404, 'of another issuer\'s';
    for my $id ({ format => 'email', email => $sub },
                { format => 'opaque', id => $sub }, {})
    {
        $r = post_global($nginx, revocation(), $id);
        is "$r->{status} $r->{said}", '422 invalid_request',
            'of nobody who could be found: ' . ($id->{format} // 'no format');
    }
};


subtest 'what is no global revocation' => sub {
    my ($token, $id, $sub) = person();
    my $now = int time;

    for my $case (
        ['E1: an access token', $token],
        ['E1: a logout', logout(sub => $sub)],
        ['E1: an event', event('session-revoked', sub => $sub)],
        ['E1: no typ', revocation(opt => [header => { typ => undef }])],
        ['E1: typ JWT', revocation(opt => [header => { typ => 'JWT' }])],
        ['E2: another issuer', revocation(iss => 'https://else.example.com')],
        ['E2: our audience', revocation(aud => 'api')],
        ['no audience', revocation(aud => undef)],
        ['E2: another host', revocation(
            aud => 'http://else.example.com/events')],
        ['another path', revocation(aud => 'http://localhost/event')],
        ['another scheme', revocation(aud => 'https://localhost/events')],
        ['E4: expired', revocation(exp => $now - 60)],
        ['E4: no exp', revocation(exp => undef)],
        ['E4: for ever', revocation(exp => $now + 900000)],
        ['not yet', revocation(nbf => $now + 600)],
        ['E5: no jti', revocation(jti => undef)],
        ['E3: another key', revocation(opt => [key => 'rsa2', kid => 'rsa1'])],
        ['E3: HS256', revocation(opt => [alg => 'HS256', kid => undef])],
        ['garbage', 'x'])
    {
        my ($title, $text) = @$case;
        my $r = post_global($nginx, $text, iss_sub($sub));
        refused($title, $r, 401, 'invalid_token');
        like $r->{headers}{'www-authenticate'},
            qr/^Bearer realm="localhost", error="invalid_token"$/,
            'with a challenge';
    }

    my $r = post_global($nginx, undef, iss_sub($sub));
    refused('no token', $r, 401, 'invalid_token');
    is $r->{headers}{'www-authenticate'}, 'Bearer realm="localhost"',
        'asks for one';

    refused('for a host that is not ours', post_global($nginx,
            revocation(aud => 'http://else.example.com/events'),
            iss_sub($sub), headers => [[Host => 'else.example.com']]), 401,
            'invalid_token');

    for my $body ('', '[]', '{}', '{"sub_id":1}', '{"sub_id":[]}', 'x',
                  '{"sub_id":{},"sub_id":{}}',
                  '{"sub_id":{"format":"iss_sub"}}',
                  '{"x":' . '[' x 40 . ']' x 40 . '}')
    {
        refused("the body \"$body\"", post_global($nginx, revocation(),
                $body), 400, 'invalid_request');
    }

    is scalar(entries($id)), 0, 'all that changed nothing';
    my $good = revocation();
    is post_global($nginx, $good, iss_sub($sub))->{status}, 204, 'a good one';
    refused('and the same again', post_global($other, $good, iss_sub($sub)),
            401, 'invalid_token');
    refused('or for somebody else', post_global($nginx, $good,
            iss_sub('p-1')), 401, 'invalid_token');
    is scalar(entries($id)), 1, 'is one change';
};


# The name of an event, of a token and of another kind of event are three.
subtest 'names' => sub {
    my ($token, $id, $sub) = person();
    my $token_2 = token(claims => { sub => $sub, jti => 'same-name' });

    is proxy_user(qw(token revoke --issuer), issuer_url(),
                  qw(--jti same-name)), 0, 'a token is revoked';
    is post_logout($nginx, logout(sub => $sub, jti => 'same-name'))
        ->{status}, 200, 'a logout of that name is another thing';
    is post_event($nginx, event('session-revoked', sub => $sub,
            claims => { jti => 'same-name' }))->{status}, 202, 'so is an event';
    is post_global($nginx, revocation(jti => 'same-name'), iss_sub($sub))
        ->{status}, 204, 'and a revocation';
    is scalar(entries($id)), 3, 'all three are done';

    my ($third, undef, $sub_3) = person();
    my $named = token(claims => { sub => $sub_3, jti => 'other-name' });
    is post_event($nginx, event('session-revoked', sub => $sub,
            claims => { jti => 'other-name' }))->{status}, 202,
        'an event by the name of a token';
    is verdict($other, $named), '200 ok', 'does not revoke that token';

    my @key = grep { /:jti:/ } @{ redis('KEYS', '*') };
    is scalar(grep { redis('TTL', $_) <= 0 } @key), 0, 'all names go';
    is scalar(grep { redis('TTL', $_) > 30 * 86400 } @key), 0, 'in time';
};


subtest 'the request' => sub {
    my ($token, $id, $sub) = person();
    my $set = event('session-revoked', sub => $sub);

    for my $method (qw(GET PUT DELETE PATCH HEAD OPTIONS)) {
        my $c = $nginx->connect;
        $c->ask($method, '/events', close => 1);
        my $r = $c->answer(head => $method eq 'HEAD');
        is "$r->{status} $r->{headers}{allow}", '405 POST', $method;
    }
    is post_event($nginx, $set, token => $token)->{status}, 202,
        'an Authorization nobody asked for';

    for my $type (undef, 'text/plain', 'application/jwt', 'application/',
                  'application/secevent+jwtx', 'application/logout+jwt',
                  'multipart/form-data', 'application/scim+json')
    {
        refused($type // 'no type', post($nginx, $type, $set), 415,
                'invalid_request');
    }
    is post($nginx, ' Application/Secevent+JWT ; charset=x', $set)->{status},
        202, 'a type in other words';

    for my $type ('application/secevent+jwt', 'application/json',
                  'application/x-www-form-urlencoded')
    {
        refused("E8: 65537 of $type", post($nginx, $type, 'x' x 65537), 413,
                'invalid_request');
    }
    my ($r) = $nginx->raw("POST /events HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: close\r\nTransfer-Encoding: chunked\r\n"
        . "Content-Type: application/secevent+jwt\r\n\r\n"
        . sprintf("%x\r\n%s\r\n", 60000, 'x' x 60000) x 2 . "0\r\n\r\n");
    is $r->{status}, 413, 'that does not say its length';
    is post($nginx, 'application/secevent+jwt', 'x' x 2000,
            uri => '/limited')->{status}, 413, 'less where less is allowed';
    is post_event($nginx, $set, uri => '/limited')->{status}, 202,
        'what fits is taken';

    # In pieces, and without a length.
    my $next = event('session-revoked', sub => $sub);
    my $c = $nginx->connect;
    $c->send("POST /events HTTP/1.1\r\nHost: localhost\r\n"
             . "Transfer-Encoding: chunked\r\n"
             . "Content-Type: application/secevent+jwt\r\n\r\n");
    for my $part ($next =~ /(.{1,200})/gs) {
        $c->send(sprintf "%x\r\n%s\r\n", length $part, $part);
        sleep 0.02;
    }
    $c->send("0\r\n\r\n");
    is $c->answer->{status}, 202, 'in pieces';
    $c->ask('GET', '/', token => $token);
    is $c->answer->{status}, 401, 'the connection goes on';
    is scalar(entries($id)), 2, 'two changes';

    is post_event($nginx, event('session-revoked', sub => $sub),
            uri => '/within?if=1')->{status}, 202, 'within "if"';
    is post_event($nginx, event('session-revoked', sub => $sub),
            uri => '/within')->{status}, 202, 'without';
    is $nginx->get('/within')->{status}, 403, 'within limit_except';
    is scalar(entries($id)), 4, 'two more';
};


subtest 'another audience' => sub {
    my ($token, $id, $sub) = person();
    my @at = (uri => '/client');

    is post_logout($nginx, logout(sub => $sub, aud => 'website'), @at)
        ->{status}, 200, 'the one that is named';
    is post_logout($nginx, logout(sub => $sub, aud => ['x', 'website']), @at)
        ->{status}, 200, 'among others';
    refused('not the issuer\'s', post_logout($nginx, logout(sub => $sub), @at),
            400, 'invalid_request');
    is post_global($nginx, revocation(aud =>
            'https://gate.example.com/events'), iss_sub($sub), @at)->{status},
        204, 'a url that is named is ours';
    is post_global($nginx, revocation(aud => 'http://localhost/client'),
            iss_sub($sub), @at)->{status}, 204, 'so is our own';
    refused('a name is no url', post_global($nginx, revocation(
            aud => 'website'), iss_sub($sub), @at), 401, 'invalid_token');
    is scalar(entries($id)), 4, 'four changes';
};


subtest 'found by what links them' => sub {
    my $link = gate(http => store_http() . <<"END",
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;
    provision known;
    link user_name email;
}
proxy_user_issuer oid {
    issuer https://oid.example.com;
    audience api;
    jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;
    subject oid;
}
END
        server => server(<<'END'));
location = /oid { proxy_user_events issuer=oid; }
END
    my $email = sub { { format => 'email', email => $_[0] } };
    my $make = sub {
        my ($n, $name, %field) = @_;
        my $id = user_id(5000 + $n);
        redis('HSET', "{pu}:user:$id", 'state', 'active', 'version', 1,
              'user_name', $name, %field);
        redis('SET', '{pu}:name:' . b64u(Digest::SHA::sha256(lc $name)), $id);
        return $id;
    };
    ok defined within(30, sub {
        post_logout($link, logout(sub => 'nobody'))->{status} == 200
    }), 'another nginx is there';
    my $fresh = $make->(1, 'Eve@example.com');
    my $ours = $make->(2, 'bob@example.com', issuer => issuer_url());
    my $theirs = $make->(3, 'mallory@example.com',
                         issuer => 'https://partner.example.com');

    is post_event($link, event('account-disabled', claims => {
        sub_id => $email->('eve@EXAMPLE.com') }))->{status}, 202,
        'who has not come yet';
    is field($fresh, 'state'), 'suspended', 'is found';
    is post_event($link, event('account-disabled', claims => {
        sub_id => $email->('bob@example.com') }))->{status}, 202, 'who has';
    is field($ours, 'state'), 'suspended', 'is found';
    is post_event($link, event('account-purged', claims => {
        sub_id => $email->('mallory@example.com') }))->{status}, 202,
        'who is somebody else\'s';
    is field($theirs, 'state'), 'active', 'is not';
    is post_global($link, revocation(), $email->('mallory@example.com'))
        ->{status}, 404, 'which a revocation is told';
    is post_logout($link, logout(sub => 'not-yet', email =>
        'eve@example.com'))->{status}, 200, 'a logout with the claim';
    is last_entry($fresh), 'revoke idp events backchannel-logout', 'is done';

    my $oid = seed_user(id => user_id(5009), sub => 'the-oid',
                        issuer => 'https://oid.example.com');
    my @of = (iss => 'https://oid.example.com');
    is post_logout($link, logout(@of, sub => 'pairwise', oid => 'the-oid'),
        uri => '/oid')->{status}, 200, 'a subject in another claim';
    is scalar(entries($oid)), 1, 'is read from there';
    refused('a sub is nobody then', post_event($link, event('session-revoked',
        claims => { @of, sub_id => iss_sub('the-oid', $of[1]) }),
        uri => '/oid'), 400, 'invalid_request');
    $link->stop;
};


subtest 'keys that are fetched' => sub {
    my $idp = fake_issuer();
    my $set = jwks(jwk('rsa1'));
    $idp->on('/jwks', mode => 'stall');

    my $with = sub { gate(http => store_http() . <<"END", server => server()) };
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_uri $idp->{url}/jwks;
    timeout $_[0];
}
END
    my $gate = $with->('1s');
    my (undef, $id, $sub) = person();
    my $set_1 = event('session-revoked', sub => $sub);

    my $c = $gate->connect;
    $c->ask('POST', '/events', close => 1, body => $set_1,
            headers => [['Content-Type' => 'application/secevent+jwt']]);
    my $gone = $gate->connect;
    $gone->ask('POST', '/events', body => $set_1,
               headers => [['Content-Type' => 'application/secevent+jwt']]);
    sleep 0.1;
    $gone->reset;
    my $r = $c->answer(timeout => 30);
    is "$r->{status} $r->{headers}{'retry-after'}", '503 1',
        'nobody knows, and it may be sent again';
    is scalar(entries($id)), 0, 'nothing was done';

    $idp->on('/jwks', body => $set, headers => { 'Content-Type' =>
                                                 'application/json' });
    $gate->stop;
    $gate = $with->('5s');
    ok defined within(30, sub { post_event($gate, $set_1)->{status} == 202 }),
        'when the provider is back it is taken';
    is scalar(entries($id)), 1, 'and done';

    # A key of tomorrow: asked for at most each 30 s.
    $idp->on('/jwks', body => jwks(jwk('rsa1'), jwk('rsa2')));
    is post_event($gate, event('session-revoked', sub => $sub,
            key => 'rsa2', kid => 'rsa2'))->{status}, 202,
        'a key that is new is fetched';
    $gate->stop;
};


subtest 'Redis is away' => sub {
    my ($token, $id, $sub) = person();
    my @posted = (logout(sub => $sub), event('account-disabled', sub => $sub),
                  revocation());
    my @post = (sub { post_logout($nginx, $posted[0]) },
                sub { post_event($nginx, $posted[1]) },
                sub { post_global($nginx, $posted[2], iss_sub($sub)) });

    redis('CONFIG', 'SET', 'maxmemory', 1);
    is $post[0]->()->{status}, 200, 'who is to be shut off';
    is scalar(entries($id)), 1, 'does not wait for memory';
    my $r = post_event($nginx, event('account-enabled', sub => $sub));
    is $r->{status}, 503, 'what cannot be remembered is not done';
    redis('CONFIG', 'SET', 'maxmemory', 0);
    $posted[0] = logout(sub => $sub);

    $redis->freeze;
    for my $post (@post) {
        $r = $post->();
        is "$r->{status} $r->{headers}{'retry-after'}", '503 1',
            'who does not answer has not done it';
        is $r->{headers}{'cache-control'}, 'no-store', 'not stored';
    }
    is post_event($nginx, event('verification'))->{status}, 202,
        'what changes nothing needs none';
    $redis->thaw;

    ok defined within(20, sub { $post[1]->()->{status} == 202 }),
        'sent again when it is back';
    becomes($token, '403 user_suspended', 'it is done');
    redis('SCRIPT', 'FLUSH');
    ok defined within(10, sub { $post[2]->()->{status} =~ /^(?:204|401)$/ }),
        'a script that was lost is loaded again';

    redis('DEL', "{pu}:user:$id");
    is post_event($nginx, event('session-revoked', sub => $sub))->{status},
        503, 'a handle whose user is missing is no answer';
    redis('HSET', "{pu}:user:$id", 'state', 'active');
    my $event = event('session-revoked', sub => $sub);
    ok defined within(10, sub { post_event($nginx, $event)->{status} == 202 }),
        'a record with little in it will do';
};


# With the rights that the manual gives nginx, and what it adds for events.
subtest 'few rights' => sub {
    my $text = read_file('docs/store.md');
    my ($base) = $text =~ /^    ACL SETUSER gate (.*)$/m;
    my ($more) = $text =~ /\[events\]\(events\.md\) add `([^`]+)`/;
    ok $base && $more, 'they are written down';

    redis(qw(ACL SETUSER gate), split(/ /, $base), split(/ /, $more));
    my $gate = gate(http => store_http(url => 'redis://gate@127.0.0.1:'
            . $redis->{port}, redis => 'password_file=' . write_file('word',
                                                            'PASSWORD')),
        server => server());
    my (undef, $id, $sub) = person(user_name => 'x@example.com',
                                   groups => 'g_' . 'a' x 22);
    my $name = '{pu}:name:' . b64u(Digest::SHA::sha256('x@example.com'));

    redis('SET', $name, $id);
    redis('HSET', '{pu}:group:g_' . 'a' x 22, 'version', 1);
    redis('ZADD', '{pu}:members:g_' . 'a' x 22, 1, $id);
    redis('HSET', "{pu}:handle:key:" . 'b' x 43, 'user', $id, 'id', 'abc');
    redis('SADD', "{pu}:handles:$id", 'key:' . 'b' x 43);

    for my $word (qw(session-revoked account-disabled account-enabled
                     account-purged))
    {
        ok defined within(10, sub {
            post_event($gate, event($word, sub => $sub))->{status} == 202
        }), $word;
    }

    is join(' ', map { $_->{op} } entries($id)),
        'revoke suspend resume delete', 'all is done';
    is redis('EXISTS', $name, '{pu}:handle:key:' . 'b' x 43), 0,
        'and nothing is left';
    is redis('HGET', '{pu}:group:g_' . 'a' x 22, 'version'), 2,
        'not in a group either';
    is scalar(lines($gate->log, qr/NOPERM/)), 0, 'no right was missing';
    $gate->stop;
};


subtest 'the directive' => sub {
    my $uri = 'proxy_user_redis redis://127.0.0.1:1;';
    my $block = sub {
        "proxy_user_issuer idp { issuer https://a.example.com; audience a; "
        . "$_[0] }";
    };
    write_file('secret', 'x' x 64);
    write_file('client', 'y');
    my $keys = "jwks_file $ENV{TEST_NGINX_KEYS}/jwks.json;";

    for my $case (
        ['no issuer', $keys, 'proxy_user_events audience=a;',
         qr/"proxy_user_events" has no "issuer=name"/],
        ['an unknown name', $keys, 'proxy_user_events issuer=x;',
         qr/"proxy_user_events" has the issuer "x", allowed are names/],
        ['an empty name', $keys, 'proxy_user_events issuer=;',
         qr/has "issuer=", allowed are "issuer=name"/],
        ['two', $keys, 'proxy_user_events issuer=idp issuer=idp;',
         qr/allowed are "issuer=name" once/],
        ['a word', $keys, 'proxy_user_events issuer=idp x;',
         qr/has "x", allowed/],
        ['nothing', $keys, 'proxy_user_events;', qr/number of arguments/],
        ['twice', $keys, 'proxy_user_events issuer=idp; '
         . 'proxy_user_events issuer=idp;', qr/is duplicate/],
        ['a shared secret', 'algorithms HS256; secret_file '
         . "$ENV{TEST_NGINX_TMP}/secret;", 'proxy_user_events issuer=idp;',
         qr/has the issuer "idp", allowed are issuers with public keys/],
        ['introspection alone', 'discovery off; introspection '
         . 'http://127.0.0.1:1/ client_id=a client_secret_file='
         . "$ENV{TEST_NGINX_TMP}/client;", 'proxy_user_events issuer=idp;',
         qr/has the issuer "idp", allowed are issuers with public keys/],
        ['proxy_user on', $keys, 'proxy_user on; '
         . 'proxy_user_events issuer=idp;',
         qr/has "proxy_user" beside "proxy_user_events".*allowed is "off"/s])
    {
        my ($title, $lines, $directive, $pattern) = @$case;
        my ($ok, $text) = nginx_t(http => $uri . $block->($lines),
                                  location => $directive);
        ok !$ok && $text =~ $pattern, "refused: $title" or diag $text;
    }

    my ($ok, $text) = nginx_t(http => $block->($keys),
                              location => 'proxy_user_events issuer=idp;');
    ok !$ok && $text =~ /"proxy_user_events" needs "proxy_user_redis"/,
        'refused: no Redis' or diag $text;
    ($ok, $text) = nginx_t(http => $uri . $block->($keys),
                           server => 'proxy_user_events issuer=idp;');
    ok !$ok && $text =~ /not allowed here/, 'refused: in a server';
    write_file('tokens', 'a:' . '0' x 64 . "\n");
    ($ok, $text) = nginx_t(http => $uri . $block->($keys), location =>
        'proxy_user_events issuer=idp; proxy_user_scim token_file='
        . "$ENV{TEST_NGINX_TMP}/tokens;");
    ok !$ok && $text =~ /"proxy_user_scim" beside .*allowed is one of them/,
        'refused: beside SCIM' or diag $text;

    ($ok, $text) = nginx_t(http => $uri . $block->($keys),
        server => 'proxy_user on;',
        location => 'proxy_user_events issuer=idp audience=x; '
                    . 'proxy_user off;');
    ok $ok, 'allowed: below "proxy_user on"' or diag $text;
    unlike $text, qr/\[warn\]/, 'without a warning';
    ($ok, $text) = nginx_t(http => $uri
                                   . $block->('jwks_uri http://127.0.0.1:1/;'),
                           location => 'proxy_user_events issuer=idp;');
    ok $ok, 'allowed: keys that are fetched' or diag $text;
};


ok $nginx->reload(20), 'reload';
my ($token, $id, $sub) = person();
is post_event($nginx, event('session-revoked', sub => $sub))->{status}, 202,
    'the new workers take events';

@seconds = sort { $a <=> $b } @seconds;
diag sprintf 'in force in both after %.0f ms (median), %.0f ms (most)',
    map { 1000 * $_ } @seconds[@seconds / 2, -1];

done_testing;
