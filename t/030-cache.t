# What is kept of a token and of a user, what one look-up costs, and what does
# not outlive its reason: a cached token or user is asked again for everything
# that may have changed.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep);

my $KNOWN = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    provision known;
}
END

my $redis = redis_start();

sub evalsha { calls('evalsha') }

# The look-ups that a piece of work has cost.
sub cost {
    my ($code) = @_;

    my $before = evalsha();
    $code->();
    return evalsha() - $before;
}

sub caches {
    my $r = ask(@_);
    return "$r->{status} $r->{cache} $r->{token_cache}";
}

# All requests are under way before Redis may answer the first.
sub at_once {
    my ($nginx, @token) = @_;

    my @client = map { $nginx->connect } @token;

    $redis->freeze;
    $client[$_]->ask('GET', '/', token => $token[$_]) for 0 .. $#token;
    sleep 0.1;
    $redis->thaw;

    my @answer = map { answer_of($_->answer) } @client;
    $_->close for @client;
    return @answer;
}


subtest 'a cold user costs one look-up, a warm one none' => sub {
    my $nginx = store_nginx();
    seed_user(id => user_id(1), sub => 'alice');
    warm($nginx);

    is cost(sub { is caches($nginx, as('alice')), '200 miss miss', 'cold' }),
        1, 'one look-up';
    is cost(sub { is caches($nginx, as('alice')), '200 hit hit', 'warm' }),
        0, 'none';

    my $two = as('alice', jti => 2);
    is cost(sub { is caches($nginx, $two), '200 hit miss', 'a new token' }),
        0, 'of a warm user costs none';
    is caches($nginx, $two), '200 hit hit', 'and is warm itself';

    my @word;
    is cost(sub {
        @word = changed(sub {
            is_deeply verdicts($nginx, (as('alice')) x 3000),
                { '200 ok' => 3000 }, 'three thousand times';
        });
    }), 0, 'not one look-up';
    is_deeply [grep { !/^(?:xread|xrange)$/ } @word], [],
        'Redis did nothing but show the change log';

    seed_user(id => user_id(100 + $_), sub => "user-$_") for 1 .. 25;
    my @token = map { as("user-$_") } 1 .. 25;
    is cost(sub { verdicts($nginx, @token, @token, @token) }), 25,
        'as many look-ups as users';
};


# What a new user's own log entry drops is read once more.
subtest 'a new user costs one look-up, and one when the log names him' => sub {
    my $nginx = store_nginx();
    warm($nginx);

    my $n = cost(sub {
        is verdict($nginx, as('new')), '200 ok', 'made';
    });
    cmp_ok $n, '<=', 2, 'by one look-up, two if the log was faster';
    cmp_ok $n, '>=', 1, 'and not by none';
    sleep 0.2;
    cmp_ok $n + cost(sub { verdicts($nginx, (as('new')) x 50) }), '<=', 2,
        'fifty requests later it is one more at most';
    is caches($nginx, as('new')), '200 hit hit', 'the user is warm';
};


subtest 'who waits for the same user waits together' => sub {
    my $nginx = store_nginx(redis => 'timeout=3s');
    seed_user(id => user_id(201), sub => 'shared');
    warm($nginx);

    my (@answer, %id);
    is cost(sub { @answer = at_once($nginx, (as('shared')) x 40) }), 1,
        'forty requests, one look-up';
    is scalar(grep { $_->{status} == 200 } @answer), 40, 'all answered';
    is scalar(grep { $_->{id} eq user_id(201) } @answer), 40,
        'with the same user';
    is scalar(grep { $_->{cache} eq 'miss' } @answer), 40,
        'for whom all have waited';

    # Tokens differ, the user is the same.
    seed_user(id => user_id(202), sub => 'many', state => 'suspended');
    is cost(sub {
        @answer = at_once($nginx, map { as('many', jti => $_) } 1 .. 10);
    }), 1, 'ten tokens of one user, one look-up';
    is scalar(grep { $_->{reason} eq 'user_suspended' } @answer), 10,
        'and ten refusals';

    seed_user(id => user_id(210 + $_), sub => "each-$_") for 1 .. 10;
    is cost(sub {
        @answer = at_once($nginx, map { as("each-$_") } 1 .. 10);
    }), 10, 'ten users, ten look-ups';
    my %own = map { $_->{id} => 1 } @answer;
    is scalar(keys %own), 10, 'everybody gets his own';
};


subtest 'a client that leaves has still warmed the cache' => sub {
    my $nginx = store_nginx(redis => 'timeout=3s');
    seed_user(id => user_id(301), sub => 'leaver');
    warm($nginx);

    is cost(sub {
        my $client = $nginx->connect;
        $redis->freeze;
        $client->ask('GET', '/', token => as('leaver'));
        sleep 0.1;
        $client->reset;
        sleep 0.1;

        my $late = $nginx->connect;
        $late->ask('GET', '/', token => as('leaver'));
        sleep 0.1;
        $redis->thaw;
        is answer_of($late->answer)->{status}, 200,
            'somebody who came later gets the answer';
    }), 1, 'to the one question';
    is caches($nginx, as('leaver')), '200 hit hit', 'which has stayed';
};


subtest 'nobody refused for his token costs a look-up' => sub {
    my $nginx = store_nginx();
    warm($nginx);

    my $good = as('stranger');
    my $expired = as('stranger', exp => time - 100);
    my $forged = tamper($good, 2, sub { substr($_[0], 9, 1) ^= "\1"; $_[0] });

    is cost(sub {
        for (1 .. 3) {
            is verdict($nginx, undef), '401 no_credential', 'nobody';
            is verdict($nginx, 'x'), '401 token_malformed', 'no token';
            is verdict($nginx, $forged), '401 token_signature', 'forged';
            is verdict($nginx, $expired), '401 token_expired', 'expired';
        }
    }), 0, 'Redis has not heard of them';
    is ask($nginx, $forged)->{token_cache}, 'miss', 'forged is never cached';
    is ask($nginx, $expired)->{token_cache}, 'miss', 'nor is expired';
};


subtest '"no such user" is remembered for a short while' => sub {
    my $nginx = store_nginx(http => $KNOWN);
    warm($nginx);

    my $token = as('nobody');
    my $once = cost(sub {
        is verdict($nginx, $token), '403 user_unknown', 'unknown';
    });
    is $once, 1, 'one look-up';
    is cost(sub {
        is_deeply verdicts($nginx, ($token) x 20),
            { '403 user_unknown' => 20 }, 'unknown again';
    }), 0, 'none for twenty more';
    is ask($nginx, $token)->{cache}, 'hit', 'it is a hit';

    my $start = evalsha();
    my $seconds = within(7, sub {
        verdict($nginx, $token);
        evalsha() > $start;
    });
    ok defined $seconds, 'it is asked for again';
    cmp_ok $seconds // 99, '<', 5.5, 'after five seconds at most';
    cmp_ok $seconds // 0, '>', 2, 'and not after one';
};


subtest 'a cached token is no pass' => sub {
    my $nginx = store_nginx(http => <<'END');
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    leeway 0s;
}
END
    seed_user(id => user_id(401), sub => 'short');
    seed_user(id => user_id(402), sub => 'revoked');
    warm($nginx);

    my $ends = int(Time::HiRes::time()) + 4;
    my $short = as('short', exp => $ends);
    is caches($nginx, $short), '200 miss miss', 'a token for a few seconds';
    is caches($nginx, $short), '200 hit hit', 'is cached';

    my $token = as('revoked', iat => time - 5);
    is caches($nginx, $token), '200 miss miss', 'another token';
    is caches($nginx, $token), '200 hit hit', 'is cached';
    is proxy_user(qw(user revoke), user_id(402)), 0, 'then it is revoked';
    my $seconds = within(2, sub {
        verdict($nginx, $token) eq '401 token_revoked'
    });
    ok defined $seconds, 'the user\'s epoch kills it';
    my $r = ask($nginx, $token);
    is "$r->{cache} $r->{token_cache}", 'hit hit', 'out of both caches';
    is verdict($nginx, as('revoked', iat => time - 6)), '401 token_revoked',
        'and a new token of that time';

    $seconds = within(5, sub {
        verdict($nginx, $short) eq '401 token_expired'
    });
    ok defined $seconds, 'the short one ends';
    cmp_ok Time::HiRes::time(), '>=', $ends, 'and not too early';
    $r = ask($nginx, $short);
    is $r->{token_cache}, 'hit', 'out of the cache as well';
    is $r->{status}, 401, 'refused all the same';
};


subtest 'a change of the user is seen in the cache' => sub {
    my $nginx = store_nginx();
    seed_user(id => user_id(501), sub => 'changing', name => 'Old Name');
    warm($nginx);

    my $token = as('changing');
    is verdict($nginx, $token, '/admin'), '403 role_missing', 'no admin';
    my $r = ask($nginx, $token);
    is "$r->{cache} $r->{name}", 'hit Old Name', 'cached';

    change_user(user_id(501), 'update', name => 'New Name');
    my $seconds = within(2, sub {
        ask($nginx, $token)->{name} eq 'New Name'
    });
    cmp_ok $seconds // 9, '<', 1, 'a new name is seen at once';
    is ask($nginx, $token)->{cache}, 'hit', 'and cached';

    proxy_user(qw(user grant), user_id(501), 'admin');
    ok defined within(2, sub {
        verdict($nginx, $token, '/admin') eq '200 ok'
    }), 'a grant opens a door';
    proxy_user(qw(user ungrant), user_id(501), 'admin');
    ok defined within(2, sub {
        verdict($nginx, $token, '/admin') eq '403 role_missing'
    }), 'which closes again';

    # Two handles of one user: both are dropped with it.
    seed_user(id => user_id(502), subs => ['one', 'other']);
    is ask($nginx, as($_))->{status}, 200, "handle $_" for qw(one other);
    proxy_user(qw(user suspend), user_id(502));
    for my $sub (qw(one other)) {
        ok defined within(2, sub {
            verdict($nginx, as($sub)) eq '403 user_suspended'
        }), "suspended by $sub as well";
    }
};


# A reload changes what a token is checked against. What the old settings
# have accepted must meet the new ones.
subtest 'L12: a token does not outlive the settings that accepted it' => sub {
    my %conf = (
        audience => 'api',
        keys => write_file('changing.json', jwks(jwk('rsa1'), jwk('ec256'))),
        more => 'role_map reader reader;',
    );

    my $issuer = sub {
        my (%change) = @_;
        my %set = (%conf, %change);

        return <<"END";
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience $set{audience};
    jwks_file $set{keys};
    $set{more}
}
END
    };

    my $nginx = store_nginx(http => $issuer->());
    seed_user(id => user_id(601), sub => 'keeper');
    warm($nginx);

    my $file = "$nginx->{root}/conf/nginx.conf";
    my $text = read_file($file);
    my $reload = sub {
        my $new = $issuer->(@_);
        my $changed = $text =~ s/^proxy_user_issuer.*?^\}\n/$new/msr;
        write_file($file, $changed);
        return $nginx->reload;
    };

    my $token = token(claims => { sub => 'keeper', roles => ['reader'] });
    my $ec = token(alg => 'ES256', claims => { sub => 'keeper' });
    my $fill = sub {
        ok defined within(3, sub {
            caches($nginx, $token) eq '200 hit hit'
                && caches($nginx, $ec) eq '200 hit hit'
        }), $_[0];
    };

    $fill->('both tokens are cached');
    is ask($nginx, $token)->{roles}, 'reader', 'with a role';

    ok $reload->(), 'a reload that changes nothing';
    is caches($nginx, $token), '200 hit hit', 'keeps it';

    ok $reload->(audience => 'other'), 'another audience';
    my $r = ask($nginx, $token);
    is "$r->{status} $r->{reason}", '401 token_audience', 'refuses it';
    is $r->{token_cache}, 'miss', 'as it is no longer a hit';

    ok $reload->(), 'back again';
    $fill->('both are good again');

    ok $reload->(more => 'role_map reader writer;'), 'another map of roles';
    $r = ask($nginx, $token);
    is "$r->{status} $r->{roles}", '200 writer', 'is applied';
    is $r->{token_cache}, 'miss', 'to the token itself';

    ok $reload->(more => 'claim client_id x;'), 'a claim is asked for';
    is verdict($nginx, $token), '401 token_claims', 'which it has not';

    ok $reload->(more => 'algorithms ES256;'), 'other algorithms';
    is verdict($nginx, $token), '401 token_algorithm', 'refuse it';
    is verdict($nginx, $ec), '200 ok', 'and not the other';

    ok $reload->(), 'back again';
    $fill->('both are good again');

    write_file('changing.json', jwks(jwk('ec256')));
    ok $reload->(), 'a key is taken out of the file';
    $r = ask($nginx, $token);
    is "$r->{status} $r->{reason}", '401 token_key_unknown',
        'its tokens are refused';
    is caches($nginx, $ec), '200 hit hit', 'those of the other are still hits';

    # The same kid, another key: a hit must not be found by the name.
    write_file('changing.json', jwks(jwk('rsa2', kid => 'rsa1'),
                                     jwk('ec256')));
    ok $reload->(), 'another key has its name';
    is verdict($nginx, $token), '401 token_signature', 'refused as well';

    write_file('changing.json', jwks(jwk('rsa1'), jwk('ec256')));
    ok $reload->(), 'the key comes back';
    is verdict($nginx, $token), '200 ok', 'and its tokens';
};


# The old worker's requests are judged by the old settings, the new worker's
# by the new ones, whatever either has put into the zone they share.
subtest 'old and new workers do not share a verdict' => sub {
    my $nginx = store_nginx(redis => 'timeout=3s', http => <<'END');
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map reader reader;
}
END
    seed_user(id => user_id(701), sub => 'between');
    warm($nginx);

    my $file = "$nginx->{root}/conf/nginx.conf";
    my $text = read_file($file);
    my $token = token(claims => { sub => 'between', roles => ['reader'] });

    # This client keeps the old worker: it waits for its user.
    my $old = $nginx->connect;
    $redis->freeze;
    $old->ask('GET', '/', token => $token);
    sleep 0.1;

    write_file($file, $text =~ s/audience api/audience other/r);
    ok $nginx->reload, 'reload while a request waits';
    my ($new) = $nginx->connect;
    $new->ask('GET', '/', token => $token);
    my $refused = answer_of($new->answer);
    is "$refused->{status} $refused->{reason}", '401 token_audience',
        'the new worker refuses, with Redis stuck';

    $redis->thaw;
    my $r = answer_of($old->answer);
    is "$r->{status} $r->{roles}", '200 reader', 'the old one has its answer';
    is verdict($nginx, $token), '401 token_audience',
        'the new one refuses still';
};


done_testing();
