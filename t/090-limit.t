# The rate of a user: what comes too early is 429 and says when to come again;
# each counts for himself, wherever his requests are served; the most generous
# of his roles counts; a request counts once.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

my $ISSUER = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map slow slow;
    role_map quick quick;
    role_map five five;
    role_map fair fair;
    role_map free free;
    role_map plain plain;
    role_map even even;
}
END

# Slow enough for a loaded machine: nothing comes back within a test.
my $PROFILES = <<'END';
proxy_user_profile slow { rate 1r/m burst=2; }
proxy_user_profile quick { rate 2r/m burst=4; }
proxy_user_profile five { rate 1r/m burst=49; }
proxy_user_profile fair { rate 20r/s burst=4; }
proxy_user_profile free { methods GET; }
proxy_user_profile even { rate 1000r/s; }
END

sub who {
    my ($sub, @roles) = @_;
    return token(claims => { sub => $sub, roles => \@roles });
}

# What a user meets who asks so often.
sub often {
    my ($nginx, $token, $times, $uri) = @_;

    my $c = $nginx->connect;
    my @got;
    for (1 .. $times) {
        $c->ask('GET', $uri // '/', token => $token);
        push @got, answer_of($c->answer);
    }
    $c->close;
    return @got;
}

sub words { join ' ', map { "$_->{status}" } @_ }

sub limits {
    my ($r) = @_;
    return join ' | ', map { $r->{headers}{$_} // '-' }
        qw(ratelimit-policy ratelimit retry-after);
}


subtest 'too early' => sub {
    my $nginx = store_nginx(url => undef, http => "$ISSUER$PROFILES",
                            workers => 2);
    my @r = often($nginx, who('a', 'slow'), 5);

    is words(@r), '200 200 200 429 429', 'a burst, one more, and no more';
    is $r[0]{reason}, 'ok', 'one in time is allowed';
    is limits($r[0]), '"rate";q=1;w=60 | "rate";r=2;t=60 | -',
        'and told what is left';
    like limits($r[2]), qr/"rate";r=0;t=(?:60|5\d) \| -$/, 'up to the last';
    is $r[3]{reason}, 'rate_limited', 'one too early is not';
    like limits($r[3]), qr/^"rate";q=1;w=60 \| "rate";r=0;t=(\d+) \| \1$/,
        'and told when to come again';
    ok !defined $r[3]{headers}{'www-authenticate'}, 'it is no challenge';
    is $r[3]{id}, $r[0]{id}, 'it is known who it was';

    is words(often($nginx, who('b', 'slow'), 4)), '200 200 200 429',
        'another user has his own';
    is words(often($nginx, who('a', 'slow') , 1)), '429',
        'the user counts, not the connection';
    is words(often($nginx, token(alg => 'ES256', claims =>
        { sub => 'a', roles => ['slow'] }), 1)), '429', 'nor the token';

    my @free = often($nginx, who('c', 'free'), 20);
    is scalar(grep { $_->{status} == 200 } @free), 20,
        'a profile without a rate is no limit';
    is limits($free[0]), '- | - | -', 'and says nothing';
    is words(often($nginx, who('d', 'plain'), 6)),
        '200 200 200 200 200 200', 'nor is a role without a profile';

    my $json = $nginx->get('/', who('a', 'slow'),
                           Accept => 'application/json');
    my $body = JSON::PP::decode_json($json->{body});
    is "$body->{status} $body->{reason} $body->{title}",
        '429 rate_limited Too Many Requests', 'a program is told as well';
};


subtest 'the most generous of the roles' => sub {
    my $nginx = store_nginx(url => undef, http => "$ISSUER$PROFILES");

    is words(often($nginx, who('a', qw(slow quick)), 6)),
        '200 200 200 200 200 429', 'the one that allows more';
    is words(often($nginx, who('b', qw(slow free plain)), 4)),
        '200 200 200 429', 'one that has none does not lift it';
    is limits((often($nginx, who('a', qw(quick slow)), 1))[0])
        =~ /^"rate";q=2;w=60/, 1, 'it is the one that is told';

    # The same user, less with this token and more with that one.
    is words(often($nginx, who('c', 'slow'), 4)), '200 200 200 429',
        'with one role';
    is words(often($nginx, who('c', 'quick'), 3)), '200 200 429',
        'with another there is more, but for what was used';
    is words(often($nginx, who('c', 'slow'), 1)), '429',
        'which does not help the first';
};


subtest 'a request counts once, and only what was allowed' => sub {
    my $nginx = store_nginx(url => undef, http => "$ISSUER$PROFILES",
                            server => <<'END');
location = /moved { try_files /none.html /moved/again; }
location = /moved/again { try_files /none.html /index.html; }
location = /role { proxy_user_role admin; try_files /index.html =404; }
location = /error { error_page 404 = /index.html; try_files /none =404; }
location = /again { error_page 429 = /index.html; try_files /index.html =404; }
location = /pages {
    error_page 429 /page;
    try_files /index.html =404;
}
location = /page { proxy_user off; internal; return 429 "wait\n"; }
location = /any { satisfy any; allow all; try_files /index.html =404; }
location = /late {
    satisfy any; deny all; auth_request /yes; try_files /index.html =404;
}
location = /yes { internal; proxy_user off; return 204; }
END

    is words(often($nginx, who('a', 'slow'), 4, '/moved')),
        '200 200 200 429', 'through three locations';
    is words(often($nginx, who('b', 'slow'), 4, '/error')),
        '200 200 200 429', 'through an error page';

    is words(often($nginx, who('c', 'slow'), 4, '/role')),
        '403 403 403 403', 'who is refused for something else';
    my @r = often($nginx, who('c', 'slow'), 4);
    is words(@r), '200 200 200 429', 'has not used anything up';
    is limits((often($nginx, who('c', 'slow'), 1, '/role'))[0]), '- | - | -',
        'and is not told about it';

    is words(often($nginx, who('c', 'slow'), 1, '/again')), '429',
        'an error page is no way around it';
    @r = often($nginx, who('c', 'slow'), 1, '/pages');
    is "$r[0]{status} $r[0]{body}", "429 wait\n",
        'but may say it in its own words';
    like limits($r[0]), qr/^"rate";q=1;w=60 \| "rate";r=0;t=(\d+) \| \1$/,
        'with the same headers';

    is words(often($nginx, who('d', 'slow'), 3, '/any')), '200 200 200',
        'where an address alone lets in';
    is words(often($nginx, who('e', 'slow'), 3)), '200 200 200', 'one more';
    @r = often($nginx, who('e', 'slow'), 1, '/late');
    is "$r[0]{status} $r[0]{reason}", '429 rate_limited',
        'under "satisfy any" it is the last word';
};


subtest 'nothing is refused in report mode' => sub {
    my $nginx = store_nginx(url => undef, http => "$ISSUER$PROFILES",
                            server => <<'END');
location = /report { proxy_user_mode report; try_files /index.html =404; }
END
    my @r = often($nginx, who('a', 'slow'), 5, '/report');
    is join(' ', map { "$_->{status}/$_->{reason}" } @r),
        '200/ok 200/ok 200/ok 200/rate_limited 200/rate_limited',
        'but decided, and counted';
    ok !defined $r[4]{headers}{'retry-after'}, 'nobody is told to wait';
    is words(often($nginx, who('a', 'slow'), 1)), '429',
        'elsewhere it is refused';
};


# The worst there is: many at once, in two workers.
subtest 'eight clients at once, two workers' => sub {
    my $nginx = store_nginx(url => undef, http => "$ISSUER$PROFILES",
                            workers => 2);
    my $token = who('crowd', 'five');
    my %all;

    my @got = parallel(8, sub {
        return [map { "$_->{status} $_->{pid}" } often($nginx, $token, 40)];
    });
    my %worker = map { (split)[1] => 1 } map { @$_ } @got;
    $all{ (split)[0] }++ for map { @$_ } @got;

    is_deeply \%all, { 200 => 50, 429 => 270 }, 'to the request';
    note scalar(keys %worker), ' workers';
};


# A worker's clock stands still while it serves what has come at once. Who asks
# another worker meanwhile is not ahead of his time there.
subtest 'a worker that has much to do' => sub {
    my $nginx = store_nginx(url => undef, http => "$ISSUER$PROFILES",
                            workers => 2);
    my $token = who('even', 'even');
    my ($busy, $other) = map { $_->[0] } values %{ { by_worker($nginx, 1) } };

    my @new = map { token(alg => 'EdDSA', claims => { sub => 'p',
        roles => ['plain'], jti => "busy-$_" }) } 1 .. 600;
    $busy->send(join '', map { "GET / HTTP/1.1\r\nHost: localhost\r\n"
        . "Authorization: Bearer $_\r\n\r\n" } @new, $token);

    my @r = map { sleep 0.005; $other->ask('GET', '/', token => $token);
                  answer_of($other->answer) } 1 .. 20;
    is words(@r), join(' ', ('200') x 20), 'two hundred a second';

    @r = map { answer_of($busy->answer) } @new, $token;
    is scalar(grep { $_->{status} == 200 } @r), 601, 'and one more, elsewhere';
};


# 20 a second and 4 more at once: a bound from above, whatever the machine.
subtest 'a rate over a time' => sub {
    my $nginx = store_nginx(url => undef, http => "$ISSUER$PROFILES",
                            workers => 2);
    my $token = who('steady', 'fair');
    often($nginx, who('warm', 'fair'), 1);

    my $from = time;
    my $end = $from + 2;
    my @got = parallel(8, sub {
        my $c = $nginx->connect;
        my $ok = 0;
        while (time < $end) {
            $c->ask('GET', '/', token => $token);
            my $r = $c->answer or die "no answer\n";
            $ok++ if $r->{status} == 200;

            if (($r->{headers}{connection} // '') eq 'close') {
                $c->close;
                $c = $nginx->connect;
            }
        }
        return { ok => $ok };
    });
    my $s = time - $from;
    my $ok = 0;
    $ok += $_->{ok} for @got;

    cmp_ok $ok, '<=', 5 + 20 * $s + 1, "$ok requests, not more";
    cmp_ok $ok, '>=', 30, 'and not much less';
};


subtest 'a reload forgets nothing' => sub {
    my $nginx = store_nginx(url => undef, http => "$ISSUER$PROFILES",
                            workers => 2);
    my $token = who('a', 'slow');

    is words(often($nginx, $token, 3)), '200 200 200', 'a burst';
    ok $nginx->reload, 'reload';
    is words(often($nginx, $token, 2)), '429 429', 'it is used up';

    # More is more at once, less is less.
    my $changed = sub {
        my ($line) = @_;
        my $http = store_http(url => undef, http => $ISSUER
                              . "proxy_user_profile slow { $line }\n");
        $nginx->configure(http => $http, server => store_server(),
                          workers => 2);
        ok $nginx->reload, "reload: $line";
    };
    $changed->('rate 1r/m burst=4;');
    is words(often($nginx, $token, 3)), '200 200 429', 'two more at once';
    $changed->('rate 100r/s burst=0;');
    ok defined within(2, sub {
        words(often($nginx, $token, 1)) eq '200'
    }), 'a rate that lets more through does so soon';
    $changed->('methods GET;');
    is limits((often($nginx, $token, 1))[0]), '- | - | -', 'and none is none';
};


subtest 'users by the thousand in a small zone' => sub {
    my $nginx = store_nginx(url => undef, http => <<"END");
proxy_user_zone 64k;
$ISSUER$PROFILES
END
    my %got;
    for my $n (1 .. 1200) {
        $got{ words(often($nginx, who("u$n", 'slow'), 1)) }++;
    }
    is_deeply \%got, { 200 => 1200 }, 'none of them is refused for others';
    is words(often($nginx, who('last', 'slow'), 4)), '200 200 200 429',
        'and limits are limits';
    ok !$nginx->trouble, 'without trouble';
};


done_testing;
