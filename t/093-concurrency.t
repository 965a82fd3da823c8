# Requests under way: a user may have so many at a time, whichever workers have
# them. However one ends, its place is free again: also when a worker is killed.

use strict;
use warnings;

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;
use Test::More;

use Time::HiRes qw(sleep time);

my $HTTP = <<'END';
proxy_user_issuer idp {
    issuer https://idp.example.com;
    audience api;
    jwks_file $TEST_NGINX_KEYS/jwks.json;
    role_map two two;
    role_map three three;
    role_map both both;
}
proxy_user_profile two { concurrency 2; }
proxy_user_profile three { concurrency 3; }
proxy_user_profile both { concurrency 1; quota 3 per month; }
END

# A body that does not come to its end keeps a request there.
my $SERVER = <<'END';
location = /slow { proxy_pass $TEST_NGINX_BACKEND; }
location = /again { try_files /none.html /moved; }
location = /moved { proxy_pass $TEST_NGINX_BACKEND; }
END

sub who {
    my ($sub, @roles) = @_;
    return token(claims => { sub => $sub, roles => \@roles });
}

sub gate {
    my (%opt) = @_;
    return store_nginx(url => undef, http => $HTTP, server => $SERVER,
                       workers => 2, %opt);
}

# A request that stays: nginx has let it in when it asks for the body.
# "finish" ends it and returns its status. One that came before may still be
# on its way out.
sub begin {
    my ($nginx, $token, $uri, $given) = @_;
    my ($c, $r);

    within(2, sub {
        $c = $given // $nginx->connect;
        $c->send('POST ' . ($uri // '/slow') . " HTTP/1.1\r\nHost: localhost"
                 . "\r\nAuthorization: Bearer $token\r\nContent-Length: 2"
                 . "\r\nExpect: 100-continue\r\n\r\n");
        $r = answer_of($c->answer);
        return $given || $r->{status} == 100;
    });
    die "not let in: $r->{status} $r->{reason}\n" if $r->{status} != 100;
    return $c;
}

sub finish {
    my ($c) = @_;

    $c->send('xy');
    my $status = $c->answer->{status};
    $c->close;
    return $status;
}

sub full { verdict(@_) eq '429 concurrency_exceeded' }

# It takes a moment until a request has gone.
sub becomes_free {
    my ($nginx, $token, $seconds) = @_;
    return within($seconds // 5, sub { verdict($nginx, $token) eq '200 ok' });
}

# One after the other: the last may still be on its way out.
sub lets_in {
    my ($nginx, $token, $n) = @_;
    my $got;

    within(5, sub {
        $got = verdicts($nginx, ($token) x $n);
        ($got->{'200 ok'} // 0) == $n;
    });
    return $got;
}


subtest 'at a time' => sub {
    my $nginx = gate();
    my $token = who('a', 'two');

    my ($r) = ask($nginx, $token);
    is "$r->{status} $r->{headers}{'ratelimit-policy'} "
        . $r->{headers}{ratelimit},
        '200 "concurrency";q=2;qu="concurrent-requests" "concurrency";r=1',
        'one is under way: this one';
    is_deeply verdicts($nginx, ($token) x 30), { '200 ok' => 30 },
        'one after the other are no two at a time';

    my @c = map { begin($nginx, $token) } 1 .. 2;
    ok full($nginx, $token), 'two are under way: no third';
    $r = ask($nginx, $token);
    is $r->{headers}{ratelimit}, '"concurrency";r=0', 'none is left';
    is $r->{headers}{'retry-after'}, 1, 'come again soon';
    ok !defined $r->{headers}{'www-authenticate'}, 'it is no challenge';
    is verdict($nginx, who('b', 'two')), '200 ok',
        'another user has his own';
    is verdict($nginx, who('a', 'two'), '/role'), '429 concurrency_exceeded',
        'wherever he goes';
    is verdict($nginx, who('a', 'two', 'three')), '200 ok',
        'the most generous of his roles counts';

    is finish(shift @c), 200, 'one ends';
    ok defined becomes_free($nginx, $token), 'then one may come';
    is finish(shift @c), 200, 'the other ends';
    is_deeply lets_in($nginx, $token, 10), { '200 ok' => 10 },
        'and all is free';
};


subtest 'each ends once, however it ends' => sub {
    my $nginx = gate(server => $SERVER . <<'END');
location = /gone { proxy_pass http://127.0.0.1:1; }
location = /error { error_page 404 502 /page; try_files /none =404; }
location = /page { proxy_pass $TEST_NGINX_BACKEND; }
END
    my $token = who('a', 'two');
    my @c;

    for my $time (1 .. 3) {
        @c = map { begin($nginx, $token) } 1 .. 2;
        ok full($nginx, $token), 'two are under way';
        $_->reset for @c;
        ok defined becomes_free($nginx, $token), 'both clients go away';
    }

    is verdict($nginx, $token, '/gone'), '502 ok', 'nobody there';
    is finish(begin($nginx, $token, '/again')), 200, 'a redirect';
    is verdict($nginx, $token, '/error'), '404 ok', 'an error page';

    # A request that was refused holds nothing; nor one on a kept connection.
    @c = map { begin($nginx, $token) } 1 .. 2;
    ok full($nginx, $token), 'full';
    is_deeply verdicts($nginx, ($token) x 20),
        { '429 concurrency_exceeded' => 20 }, 'twenty are refused';
    finish($_) for @c;
    ok defined becomes_free($nginx, $token), 'and have left nothing behind';

    @c = map { begin($nginx, $token) } 1;
    is_deeply lets_in($nginx, $token, 10), { '200 ok' => 10 },
        'one is left beside one that stays';
    @c = (@c, begin($nginx, $token));
    ok full($nginx, $token), 'with two there is none';
    finish($_) for @c;
    is_deeply lets_in($nginx, $token, 10), { '200 ok' => 10 },
        'after all that both are there';

    my $quota = who('q', 'both');
    is_deeply verdicts($nginx, ($quota) x 6),
        { '200 ok' => 3, '429 quota_exceeded' => 3 },
        'a quota that is used up gives the place back';
};


subtest 'a crowd never exceeds it' => sub {
    my $nginx = gate();
    my $token = who('crowd', 'three');

    my @c = map { $nginx->connect } 1 .. 20;
    $_->send("POST /slow HTTP/1.1\r\nHost: localhost\r\n"
             . "Authorization: Bearer $token\r\nContent-Length: 2\r\n\r\nx")
        for @c;
    my %status;
    for (@c) {
        sleep 0.5 if $_ == $c[0];
        $_->send('x');
        my $r = $_->answer;
        $status{ $r->{status} }++;
        $_->close;
    }
    is_deeply \%status, { 200 => 3, 429 => 17 }, 'three of twenty';
    is_deeply lets_in($nginx, $token, 10), { '200 ok' => 10 },
        'and then it is free';
};


subtest 'a reload' => sub {
    my $nginx = gate();
    my $token = who('a', 'two');

    my @c = map { begin($nginx, $token) } 1 .. 2;
    ok full($nginx, $token), 'two are under way';
    ok $nginx->reload, 'reload';
    ok full($nginx, $token), 'they are, in the old workers';
    sleep 6;
    ok full($nginx, $token), 'however long it takes';
    is finish($c[0]), 200, 'one ends';
    ok defined becomes_free($nginx, $token), 'one may come';
    is finish($c[1]), 200, 'the other ends';
    ok defined within(5, sub { @{[ $nginx->workers(qr/shutting down/) ]} == 0 }),
        'the old workers go';
    is_deeply lets_in($nginx, $token, 10), { '200 ok' => 10 },
        'and all is free';
};


subtest 'a worker is killed' => sub {
    my $nginx = gate(expect => qr/exited on signal 9/);
    my $token = who('a', 'two');
    my @pid = all_workers($nginx);

    # Both under way in one worker, the other is asked.
    my %client = by_worker($nginx, 3);
    my ($victim, $other) = @pid;
    begin($nginx, $token, '/slow', $_) for @{ $client{$victim} }[0, 1];
    my $asked = sub { through($client{$other}[0], $token) };
    like $asked->(), qr/^429/, 'two are under way';

    kill KILL => $victim;
    my $s = within(15, sub { $asked->() eq '200 ok' });
    cmp_ok $s // 99, '<', 9, sprintf 'their places are free after %.1f s',
        $s // 99;
    @pid = all_workers($nginx);
    is scalar(@pid), 2, 'there is a new worker';

    # And nothing is free that is not.
    my @c = map { begin($nginx, $token) } 1 .. 2;
    ok full($nginx, $token), 'two are under way';
    is_deeply verdicts($nginx, ($token) x 5),
        { '429 concurrency_exceeded' => 5 }, 'no third';
    finish($_) for @c;
    ok defined becomes_free($nginx, $token), 'until they end';

    # Again and again: nothing adds up.
    for (1 .. 2) {
        my @lost;
        within(9, sub {
            push @lost, eval { begin($nginx, $token) } // ();
            return @lost == 2;
        });
        is scalar(@lost), 2, 'two may come';
        ok full($nginx, $token), 'two are under way';
        kill KILL => all_workers($nginx);
        ok defined becomes_free($nginx, $token, 15), 'all workers are killed';
    }
};


done_testing;
