# Where users live: what the module writes to Redis and what it makes of what
# it finds there. A record that cannot be trusted is "we do not know", never a
# stranger and never a new user.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep);

my $USER = qr/^u_[A-Za-z0-9_-]{22}$/;

sub issuer {
    my ($more) = @_;

    return <<"END";
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file \$TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
    role_map admin admin;
    $more
}
END
}

my $KNOWN = issuer('provision known;');

# A location for scopes beside those that all have.
my $SCOPES = <<'END';
location = /read {
    proxy_user_scope read;
    try_files /index.html =404;
}
location = /both {
    proxy_user_scope read write;
    try_files /index.html =404;
}
END

my $redis = redis_start();
my $number = 1000;

# A user nobody has asked for yet: his subject and id.
sub fresh_user {
    my (%user) = @_;

    my $n = ++$number;
    return ("fresh-$n", seed_user(id => user_id($n), sub => "fresh-$n",
                                  %user));
}

sub fresh_verdict {
    my ($nginx, $claims, %user) = @_;

    my ($sub) = fresh_user(%user);
    return verdict($nginx, as($sub, %$claims));
}

sub key { "{pu}:$_[0]" }

sub flush {
    redis('FLUSHALL');
}


subtest 'without Redis the zone is the store' => sub {
    my $nginx = store_nginx(url => undef, workers => 2);

    my %id;
    for my $sub (qw(alice bob)) {
        my @r = map { ask($nginx, as($sub)) } 1 .. 20;
        is_deeply { map { ("$_->{status} $_->{reason}" => 1) } @r },
            { '200 ok' => 1 }, "$sub is served";
        $id{$sub} = $r[0]{id};
        like $id{$sub}, $USER, 'with an id';
        is_deeply { map { ($_->{id} => 1) } @r }, { $id{$sub} => 1 },
            'which stays the same';
    }
    isnt $id{alice}, $id{bob}, 'two subjects are two users';

    ok $nginx->reload, 'reload';
    is ask($nginx, as('alice'))->{id}, $id{alice}, 'the zone survives it';

    my @id = parallel(8, sub { ask($nginx, as('carol'))->{id} });
    is_deeply { map { ($_ => 1) } @id }, { $id[0] => 1 },
        'eight first tokens at once make one user';

    $nginx = store_nginx(url => undef);
    isnt ask($nginx, as('alice'))->{id}, $id{alice},
        'a new nginx knows nobody';

    $nginx = store_nginx(url => undef, http => $KNOWN);
    is verdict($nginx, as('alice')), '403 user_unknown',
        'where users must be known, nobody is';
    is ask($nginx, as('alice'))->{id}, '', 'and nobody is made';
};


subtest 'what a first token writes' => sub {
    flush();
    my $nginx = store_nginx();
    my $before = redis('TIME')->[0];

    my $r = ask($nginx, token(claims => {
        sub => 'alice', preferred_username => 'Alice A.',
        roles => ['reader', 'admin'], scope => 'read write',
    }));
    my $after = redis('TIME')->[0];
    is "$r->{status} $r->{roles}", '200 admin reader', 'served, with roles';
    my $id = $r->{id};
    like $id, $USER, 'an id';

    my $handle = 'sub:' . handle_digest('alice');
    my $all = everything();
    is_deeply [sort keys %$all],
        [sort map { key($_) } "user:$id", "handle:$handle", "handles:$id",
         'users', 'meta', 'log'], 'six keys and no other';

    my $user = $all->{ key("user:$id") };
    my %is = (name => 'Alice A.', type => 'human', state => 'active',
              issuer => issuer_url(), subject => 'alice', version => 1,
              source => 'jit');
    is_deeply { map { $_ => $user->{$_} } keys %is }, \%is, 'the user';
    cmp_ok $user->{created}, '>=', $before, 'created now';
    cmp_ok $user->{created}, '<=', $after, 'and not later';
    is $user->{modified}, $user->{created}, 'modified then';
    ok !exists $user->{scopes}, 'no cap on scopes';
    ok !exists $user->{expires}, 'no end';
    is $user->{roles} // '', '', 'no role';
    is $user->{epoch} || 0, 0, 'no epoch';

    my %may = map { $_ => 1 } qw(
        name type state issuer subject roles scopes epoch expires created
        modified version source suspended_by user_name external_id);
    is_deeply [grep { !$may{$_} } keys %$user], [], 'no other field';

    is_deeply $all->{ key("handle:$handle") },
        { user => $id, id => substr($handle, 0, 20), state => 'active',
          created => $user->{created} }, 'its handle';
    is_deeply $all->{ key("handles:$id") }, [$handle], 'the handles';
    is_deeply $all->{ key('users') }, { $id => $user->{created} },
        'the index, by the time of creation';
    like $all->{ key('meta') }{store}, qr/^[A-Za-z0-9_-]{16,}$/,
        'the store has an id';
    ok length $all->{ key('meta') }{schema}, 'and a schema';
    is_deeply [map { $_->[1] } @{ $all->{ key('log') } }],
        [[op => 'create', user => $id, handle => $handle, version => 1,
          actor => 'token', source => 'jit', reason => '']],
        'one log entry, its fields in order';
    is_deeply [grep { redis('PTTL', $_) != -1 } keys %$all], [],
        'nothing expires by itself';

    ask($nginx, token(claims => { sub => 'alice', jti => $_,
                                  preferred_username => 'Other',
                                  roles => ['reader'] })) for 1 .. 3;
    is_deeply everything(), $all, 'further tokens write nothing';

    my $raw = join ' ', map { redis('DUMP', $_) } keys %$all;
    unlike $raw, qr/reader|admin|write/, 'no role or scope of a token';
};


subtest 'what a first token says of its user' => sub {
    my $nginx = store_nginx();
    my $made = sub {
        my $id = ask($nginx, as(@_))->{id};
        return { @{ redis('HGETALL', key("user:$id")) } };
    };

    is $made->('plain')->{name}, 'plain', 'its subject is its name';
    is $made->('app-1', client_id => 'app-1')->{type} // '', 'service',
        'the client itself is a service';
    is $made->('app-2', azp => 'app-2')->{type} // '', 'service',
        'by azp as well';
    is $made->('app-3', client_id => 'portal')->{type} // '', 'human',
        'somebody using a client is not';
    is ask($nginx, as('app-1'))->{type}, 'service',
        'and what it is stays in its record';

    # Bytes that mean something to a protocol or a script.
    my $odd = "\$9 *3 ]]--{pu}:user:x' OR 1=1 \" \x{e9}\x{20ac}";
    my $user = $made->($odd);
    utf8::encode($odd);
    is $user->{subject}, $odd, 'any subject is written as it is';
    is redis('EXISTS', key('handle:sub:' . handle_digest($odd))), 1,
        'its handle is a digest';
};


subtest 'L11: where users must be known' => sub {
    flush();
    my $nginx = store_nginx(http => $KNOWN, workers => 2);
    warm($nginx);
    my $before = everything();

    my $token = as('later');
    is_deeply verdicts($nginx, ($token) x 10), { '403 user_unknown' => 10 },
        'a stranger is refused';
    my $r = ask($nginx, $token);
    is $r->{id}, '', 'has no id';
    ok !defined $r->{headers}{'www-authenticate'}, 'and gets no challenge';
    is_deeply everything(), $before, 'nothing was written';

    # Seen as soon as somebody makes him: "no such user" is cached for longer.
    my $handle = 'sub:' . handle_digest('later');
    my $id = seed_user(id => user_id(2), sub => 'later');
    redis('XADD', key('log'), '*', op => 'create', user => $id,
          handle => $handle, version => 1, actor => 'test', source => 'cli',
          reason => '');
    my $seconds = within(3, sub { verdict($nginx, $token) eq '200 ok' });
    cmp_ok $seconds // 9, '<', 1, 'made, he is seen at once';
    is_deeply verdicts($nginx, ($token) x 20), { '200 ok' => 20 },
        'and from then on';
    is verdict($nginx, as('nobody')), '403 user_unknown', 'others are not';
};


subtest 'two first tokens at once make one user' => sub {
    flush();
    my $nginx = store_nginx(redis => 'timeout=3s', workers => 2);
    warm($nginx);
    my $entries = redis('XLEN', key('log'));
    my $users = redis('ZCARD', key('users'));

    my @client = map { @$_ } values %{{ by_worker($nginx, 12) }};
    $redis->freeze;
    $_->ask('GET', '/', token => as('twin')) for @client;
    sleep 0.1;
    $redis->thaw;
    my @r = map { answer_of($_->answer) } @client;

    is scalar(keys %{{ map { $_->{pid} => 1 } @r }}), 2,
        'two workers were asked';
    is scalar(grep { $_->{status} == 200 } @r), 24, 'all are served';
    is scalar(keys %{{ map { $_->{id} => 1 } @r }}), 1, 'as one user';
    is redis('ZCARD', key('users')), $users + 1, 'one was made';
    is redis('XLEN', key('log')), $entries + 1, 'one entry tells of it';
    is scalar(@{ redis('KEYS', key('user:*')) }), $users + 1,
        'no half of another is left';
};


subtest 'a handle without a user makes no user' => sub {
    flush();
    my $nginx = store_nginx();
    warm($nginx);
    my ($sub, $id) = fresh_user();
    redis('DEL', key("user:$id"));
    my $before = everything();

    my $r = ask($nginx, as($sub));
    is "$r->{status} $r->{reason}", '503 store_unavailable', 'not known';
    is $r->{headers}{'retry-after'}, 1, 'to be asked again in a second';
    is $r->{id}, '', 'no id';
    is_deeply verdicts($nginx, (as($sub)) x 5),
        { '503 store_unavailable' => 5 }, 'and again';
    is_deeply everything(), $before, 'nothing was written';
    like $nginx->log, qr/\[error\].*proxy_user:.*cannot be read/,
        'the log tells of it';
    unlike $nginx->log, qr/\Q$sub\E|eyJ/, 'without subject or token';

    is verdict($nginx, as('somebody')), '200 ok', 'others are made';
};


subtest 'a record of nonsense is not trusted' => sub {
    flush();
    my $nginx = store_nginx();
    warm($nginx);
    my @workers = all_workers($nginx);

    my $long = 'x' x 5000;
    my @user = (
        ['a state nobody knows', state => 'Active'],
        ['an empty state', state => ''],
        ['a state and more', state => "active\0"],
        ['no state', state => undef],
        ['a type nobody knows', type => 'robot'],
        ['an epoch in words', epoch => 'soon'],
        ['an epoch below 0', epoch => '-1'],
        ['an epoch with a fraction', epoch => '1.5'],
        ['an epoch with an exponent', epoch => '1e9'],
        ['an empty epoch', epoch => ''],
        ['an epoch beyond all numbers', epoch => '9' x 30],
        ['an end in words', expires => 'never'],
        ['an end with a blank', expires => ' 4102444800'],
        ['a version in words', version => 'one'],
        ['a role in capitals', roles => 'ADMIN'],
        ['a role with a comma', roles => 'admin,reader'],
        ['a grant since nonsense', roles => 'admin@x'],
        ['a grant until nonsense', roles => 'admin=x'],
        ['a grant until nothing', roles => 'admin='],
        ['a grant turned round', roles => 'admin=4102444800@1'],
        ['a role of no name', roles => '=4102444800'],
        ['a role of 65 characters', roles => 'r' x 65],
        ['one bad role of two', roles => 'reader admin@'],
        ['a thousand roles', roles => join ' ', map { "r$_" } 1 .. 1000],
        ['a huge name', name => $long],
        ['huge scopes', scopes => $long],
    );
    my @handle = (
        ['a handle of no user', user => undef],
        ['a handle of an empty user', user => ''],
        ['a handle of a short id', user => 'u_short'],
        ['a handle of another key', user => '../meta' . 'x' x 17],
        ['a handle of an id with a blank', user => 'u_' . 'A' x 21 . ' '],
        ['a handle without a state', state => undef],
        ['a handle in an unknown state', state => 'maybe'],
    );

    for (@user) {
        my ($title, @field) = @$_;
        is fresh_verdict($nginx, {}, @field), '503 store_unavailable',
            $title;
    }
    for (@handle) {
        my ($title, @field) = @$_;
        is fresh_verdict($nginx, {}, handle => {@field}),
            '503 store_unavailable', $title;
    }

    for my $what (qw(user handle)) {
        for my $type (qw(string list set zset)) {
            my ($sub, $id) = fresh_user();
            my $key = $what eq 'user' ? key("user:$id")
                : key('handle:sub:' . handle_digest($sub));
            redis('DEL', $key);
            redis(@$_) for { string => [SET => $key, 'active'],
                             list => [RPUSH => $key, 'active'],
                             set => [SADD => $key, 'active'],
                             zset => [ZADD => $key, 1, 'active'] }->{$type};
            is verdict($nginx, as($sub)), '503 store_unavailable',
                "a $what that is a $type";
        }
    }

    # Repaired, it is good at once: what was not known was not remembered.
    my ($sub, $id) = fresh_user(state => 'broken');
    is verdict($nginx, as($sub)), '503 store_unavailable', 'broken';
    redis('HSET', key("user:$id"), state => 'active');
    is verdict($nginx, as($sub)), '200 ok', 'repaired';

    # Broken while it is cached: it must not be served for long.
    change_user($id, 'update', state => 'broken');
    my $seconds = within(2, sub {
        verdict($nginx, as($sub)) eq '503 store_unavailable'
    });
    cmp_ok $seconds // 9, '<', 1, 'broken again, with a log entry';

    is_deeply [sort $nginx->workers], \@workers, 'no worker has died';
};


subtest 'what is odd and yet readable' => sub {
    my $nginx = store_nginx();

    is fresh_verdict($nginx, {}, type => undef), '200 ok', 'no type';
    is fresh_verdict($nginx, {}, name => undef), '200 ok', 'no name';
    is fresh_verdict($nginx, {}, created => undef, modified => undef,
                     source => undef), '200 ok', 'no history';
    is fresh_verdict($nginx, {}, extra => '{"a":1}' x 10000), '200 ok',
        'a large field of somebody else';
    my ($sub) = fresh_user(roles => '  reader   admin@5  ');
    is ask($nginx, as($sub))->{roles}, 'admin reader',
        'more blanks than needed between roles';
};


subtest 'a log, an index or a meta record of the wrong kind' => sub {
    for my $key (qw(log users meta)) {
        flush();
        redis('SET', key($key), 'x');
        my $nginx = store_nginx();
        my ($sub) = $key eq 'users' ? () : fresh_user();
        my $before = everything();

        is verdict($nginx, as('new')), '503 store_unavailable',
            "$key: nobody is made";
        is_deeply everything(), $before, 'and no half of him is left';
        is verdict($nginx, as($sub)), '200 ok', 'who is there is served'
            if $sub;
        redis('DEL', key($key));
        ok defined within(2, sub {
            verdict($nginx, as('new')) eq '200 ok'
        }), 'when it is right again, he is';
    }
};


subtest 'L11: the state of a user' => sub {
    flush();
    my $nginx = store_nginx(http => issuer(''));
    warm($nginx);
    my $now = int Time::HiRes::time();
    my $past = $now - 100;
    my $ahead = $now + 1000;

    my @case = (
        ['active', {}, [], '200 ok'],
        ['suspended', {}, [state => 'suspended'], '403 user_suspended'],
        ['deleted', {}, [state => 'deleted'], '403 user_deleted'],
        ['past its end', {}, [expires => $past], '403 user_expired'],
        ['before its end', {}, [expires => $ahead], '200 ok'],
        ['an end of 0 is none', {}, [expires => 0], '200 ok'],

        ['a token before the epoch', { iat => $past - 1 },
         [epoch => $past], '401 token_revoked'],
        ['a token of the epoch', { iat => $past },
         [epoch => $past], '401 token_revoked'],
        ['a token within the second of the epoch', { iat => $past + 0.9 },
         [epoch => $past], '401 token_revoked'],
        ['a token after the epoch', { iat => $past + 1 },
         [epoch => $past], '200 ok'],
        ['a token that does not say', { iat => undef },
         [epoch => $past], '401 token_revoked'],
        ['a token that does not say, no epoch', { iat => undef },
         [epoch => 0], '200 ok'],
        ['a token of 1970, no epoch', { iat => 0 }, [epoch => 0], '200 ok'],
        ['a token from before 1970, an epoch of 1', { iat => -5 },
         [epoch => 1], '401 token_revoked'],
        ['an epoch that is still to come', { iat => $now },
         [epoch => $ahead], '401 token_revoked'],

        # The first that applies, in this order.
        ['suspended and revoked', { iat => $past },
         [state => 'suspended', epoch => $now], '403 user_suspended'],
        ['deleted and revoked', { iat => $past },
         [state => 'deleted', epoch => $now], '403 user_deleted'],
        ['revoked and past its end', { iat => $past },
         [expires => $past, epoch => $now], '401 token_revoked'],
        ['suspended and past its end', {},
         [expires => $past, state => 'suspended'], '403 user_suspended'],
    );

    for (@case) {
        my ($title, $claims, $user, $expected) = @$_;
        my ($sub) = fresh_user(@$user);
        my $token = as($sub, %$claims);
        is verdict($nginx, $token), $expected, $title;
        is verdict($nginx, $token), $expected, 'and out of the cache';
    }

    # A role does not help who is not let in.
    is verdict($nginx, as((fresh_user(state => 'suspended',
                                      roles => 'admin'))[0],
                          roles => ['admin']), '/admin'),
        '403 user_suspended', 'an admin, suspended';

    # A refusal of the user is no challenge, a dead token is one.
    my ($sub) = fresh_user(state => 'suspended');
    ok !defined ask($nginx, as($sub))->{headers}{'www-authenticate'},
        '403 has no challenge';
    ($sub) = fresh_user(epoch => $now);
    like ask($nginx, as($sub))->{headers}{'www-authenticate'} // '',
        qr/^Bearer realm=".*error="invalid_token"/, '401 has one';

    # Somebody cached comes to his end without a word from Redis.
    my $end = int(Time::HiRes::time()) + 3;
    ($sub) = fresh_user(expires => $end);
    is verdict($nginx, as($sub)), '200 ok', 'a second or two to go';
    my $seconds = within(5, sub {
        verdict($nginx, as($sub)) eq '403 user_expired'
    });
    ok defined $seconds, 'his time comes';
    my $late = Time::HiRes::time() - $end;
    cmp_ok $late, '>=', 0, 'and not early';
    cmp_ok $late, '<', 1.2, 'to the second';
    is ask($nginx, as($sub))->{cache}, 'hit', 'from the cache';
};


# A token is refused for its handle in the words it would be refused for its
# own claims.
subtest 'a handle that is not good now' => sub {
    my $nginx = store_nginx();
    my $now = int Time::HiRes::time();

    for (['active', {}, '200 ok'],
         ['revoked', { state => 'revoked' }, '401 token_revoked'],
         ['past its end', { expires => $now - 5 }, '401 token_expired'],
         ['before its end', { expires => $now + 500 }, '200 ok'],
         ['before its beginning', { not_before => $now + 500 },
          '401 token_not_yet_valid'],
         ['after its beginning', { not_before => $now - 5 }, '200 ok'])
    {
        my ($title, $handle, $expected) = @$_;
        my ($sub) = fresh_user(handle => $handle);
        is verdict($nginx, as($sub)), $expected, "a handle $title";
        is verdict($nginx, as($sub)), $expected, 'and out of the cache';
    }
};


subtest 'roles are granted, for a time or for good' => sub {
    flush();
    my $nginx = store_nginx(http => issuer(''));
    warm($nginx);
    my $now = int Time::HiRes::time();
    my ($past, $ahead) = ($now - 10, $now + 1000);

    for (['none', '', '', '403 role_missing'],
         ['for good', 'admin', 'admin', '200 ok'],
         ['for good, and since when', "admin\@$past", 'admin', '200 ok'],
         ['for a time', "admin=$ahead", 'admin', '200 ok'],
         ['since when, for a time', "admin\@$past=$ahead", 'admin',
          '200 ok'],
         ['a time that is over', "admin=$past", '', '403 role_missing'],
         ['since when, a time that is over', "admin\@1=$past", '',
          '403 role_missing'],
         ['over in 1970', 'admin=1', '', '403 role_missing'],
         ['some over, some not', "a1=$past admin=$ahead b1 c1=1",
          'admin b1', '200 ok'],
         ['one like it', 'admin2 xadmin admin:x', 'admin2 admin:x xadmin',
          '403 role_missing'],
         ['twice, one over', "admin=$past admin=$ahead", 'admin', '200 ok'])
    {
        my ($title, $roles, $held, $expected) = @$_;
        my ($sub) = fresh_user(roles => $roles);
        my $r = ask($nginx, as($sub), '/admin');
        is "$r->{status} $r->{reason}", $expected, "a grant: $title";
        is $r->{roles}, join(' ', sort split / /, $held), 'held';
    }

    my ($sub) = fresh_user(roles => 'writer reader');
    is ask($nginx, as($sub, roles => ['admin', 'reader']))->{roles},
        'admin reader writer', 'with those of the token, each once';
    is ask($nginx, as($sub, roles => []))->{roles}, 'reader writer',
        'a token without roles leaves them';

    # A grant ends by itself, for somebody who is cached.
    my $end = int(Time::HiRes::time()) + 3;
    ($sub) = fresh_user(roles => "admin=$end");
    my $token = as($sub);
    is verdict($nginx, $token, '/admin'), '200 ok', 'a second or two to go';
    my $seconds = within(5, sub {
        verdict($nginx, $token, '/admin') eq '403 role_missing'
    });
    my $late = Time::HiRes::time() - $end;
    ok defined $seconds, 'a grant ends';
    cmp_ok $late, '>=', 0, 'not early';
    cmp_ok $late, '<', 1.2, 'to the second';
    is ask($nginx, $token)->{cache}, 'hit', 'in the cache';
};


subtest 'the scopes of a user are a cap' => sub {
    my $nginx = store_nginx(server => $SCOPES);
    my $both = 'read write';

    for (['no cap', undef, $both, 'read write', '200 ok', '200 ok'],
         ['an empty cap', '', $both, '', '403 scope_missing',
          '403 scope_missing'],
         ['a cap of blanks', '  ', $both, '', '403 scope_missing',
          '403 scope_missing'],
         ['a narrow cap', 'read', $both, 'read', '200 ok',
          '403 scope_missing'],
         ['a wide cap', 'admin read write x', $both, 'read write',
          '200 ok', '200 ok'],
         ['a cap gives nothing', 'read write', 'read', 'read', '200 ok',
          '403 scope_missing'],
         ['a cap of others', 'x y', $both, '', '403 scope_missing',
          '403 scope_missing'],
         ['a cap in capitals', 'READ WRITE', $both, '',
          '403 scope_missing', '403 scope_missing'],
         ['a token without scopes', 'read write', undef, '',
          '403 scope_missing', '403 scope_missing'])
    {
        my ($title, $cap, $scope, $held, $read, $all) = @$_;
        my ($sub) = fresh_user(scopes => $cap);
        my $token = as($sub, scope => $scope);
        is ask($nginx, $token)->{scopes}, $held, $title;
        is verdict($nginx, $token, '/read'), $read, 'where one is needed';
        is verdict($nginx, $token, '/both'), $all, 'where both are';
    }

    my ($sub) = fresh_user(scopes => 'read');
    like ask($nginx, as($sub, scope => $both), '/both')
        ->{headers}{'www-authenticate'} // '',
        qr/error="insufficient_scope", scope="read write"/,
        'what is needed is said';
};


subtest 'prefixes and databases are worlds of their own' => sub {
    flush();
    seed_user(id => user_id(1), sub => 'alice', state => 'suspended');
    my $nginx = store_nginx(redis => 'prefix=other.one');
    is verdict($nginx, as('alice')), '200 ok', 'another prefix';
    is_deeply [grep { !/^\{(?:pu|other\.one)\}:/ } keys %{ everything() }],
        [], 'every key has it';
    cmp_ok scalar(grep { /^\{other\.one\}:/ } keys %{ everything() }), '>',
        3, 'what is made is there';
    is redis('EXISTS', key('log')), 0, 'and not here';

    my $id = seed_user(id => user_id(2), sub => 'bob',
                       prefix => 'other.one', state => 'suspended');
    is verdict($nginx, as('bob')), '403 user_suspended', 'read from there';

    for ([database => 'redis://127.0.0.1:$TEST_NGINX_REDIS_PORT/3', 3],
         ['database of a socket' => 'unix:$TEST_NGINX_REDIS_SOCKET:5', 5]) {
        my ($title, $url, $db) = @$_;
        $nginx = store_nginx(url => $url);
        is verdict($nginx, as('alice')), '200 ok', "another $title";
        redis('SELECT', $db);
        is redis('EXISTS', key('log')), 1, 'is where it was made';
        redis('SELECT', 0);
        is redis('EXISTS', key('log')), 0, 'and not in the first';
    }

    for my $url ('redis://127.0.0.1:$TEST_NGINX_REDIS_PORT',
                 'redis://localhost:$TEST_NGINX_REDIS_PORT/0',
                 'unix:$TEST_NGINX_REDIS_SOCKET',
                 'unix:$TEST_NGINX_REDIS_SOCKET:0') {
        $nginx = store_nginx(url => $url);
        is verdict($nginx, as('alice')), '403 user_suspended', $url;
    }

    # A database that is not there is no reason to use the first.
    $nginx = store_nginx(url => 'unix:$TEST_NGINX_REDIS_SOCKET:999');
    is verdict($nginx, as('alice')), '503 store_unavailable',
        'a database that is not there';
};


subtest 'TLS to Redis' => sub {
    my $tls = redis_start(tls => 1, config => [
        'tls-auth-clients' => 'optional']);
    seed_user(sub => 'alice', state => 'suspended');

    my $data = ProxyUser::Token::DATA;
    my $ca = "ca_file=$data/tls-ca.pem";
    my $at = sub { "rediss://$_[0]:\$TEST_NGINX_REDIS_TLS_PORT" };
    my $good = sub {
        my ($title, $host, $more) = @_;
        my $nginx = store_nginx(url => $at->($host), redis => $more);
        is verdict($nginx, as('alice')), '403 user_suspended', $title;
        is scalar(lines($nginx->log, qr/\[(?:error|warn)\]/)), 0,
            'with nothing to complain of';
        return $nginx;
    };
    my $bad = sub {
        my ($title, $host, $more, $pattern) = @_;
        my $nginx = store_nginx(url => $at->($host), redis => $more);
        unavailable($nginx, $title, $pattern);
    };

    my $nginx = $good->('an address that its certificate has', '127.0.0.1',
                        $ca);
    warm($nginx);
    is_deeply verdicts($nginx, map { as("tls-$_") } 1 .. 50),
        { '200 ok' => 50 }, 'fifty new users';
    is redis('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes') > 0, 1,
        'the connections are cut';
    is_deeply verdicts($nginx, map { as("tls-2-$_") } 1 .. 20),
        { '200 ok' => 20 }, 'nobody notices';

    $good->('a name that its certificate has', 'localhost', $ca);
    $good->('a name of its own', '127.0.0.1',
            "$ca server_name=redis.example.com");
    $good->('a client certificate', '127.0.0.1',
            "$ca cert_file=$data/tls-client.pem "
            . "key_file=$data/tls-client.key");

    $bad->('a wrong name', '127.0.0.1', "$ca server_name=redis.example.net",
           qr/.*name/);
    $bad->('a name like it', '127.0.0.1', "$ca server_name=example.com",
           qr/.*name/);
    $bad->('a wrong address', '127.0.0.1', "$ca server_name=127.0.0.2",
           qr/.*name/);
    $bad->('another authority', '127.0.0.1',
           "ca_file=$data/tls-other-ca.pem", qr/.+/);
    $bad->('the system\'s authorities', '127.0.0.1', '', qr/.+/);

    # No TLS is spoken where it is not expected, nor the other way round.
    my $plain = store_nginx(
        url => 'redis://127.0.0.1:$TEST_NGINX_REDIS_TLS_PORT');
    unavailable($plain, 'no TLS to a port that wants it', qr/.+/);
    $plain = store_nginx(url => 'rediss://127.0.0.1:$TEST_NGINX_REDIS_PORT',
                         redis => $ca);
    unavailable($plain, 'TLS to a port that has none', qr/.+/);
    $tls->stop;

    $tls = redis_start(tls => 1, tls_auth => 'yes');
    seed_user(sub => 'alice', state => 'suspended');
    $bad->('a server that wants a client certificate', '127.0.0.1', $ca,
           qr/.+/);
    $good->('which it then gets', '127.0.0.1',
            "$ca cert_file=$data/tls-client.pem "
            . "key_file=$data/tls-client.key");
    $tls->stop;
};


done_testing();
