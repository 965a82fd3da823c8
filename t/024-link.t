# The directive "link": a user who was provisioned is found by a claim of the
# first token, once, and from then on by issuer and subject. What Redis does
# for it is in 806-script-handle.t.

use strict;
use warnings;

use Test::More;
use Time::HiRes qw(time sleep);

use lib 't/lib';
use ProxyUser;
use ProxyUser::Store;

my $ISSUER = issuer_url();
my $made = 0;

redis_start();

my $nginx = store_nginx(http => issuers('known'), server => <<'END');
add_header X-Subject "$proxy_user_subject" always;
END


sub issuers {
    my ($provision) = @_;

    my $issuer = sub {
        my ($name, $url, $link) = @_;
        return "proxy_user_issuer $name { issuer $url; audience api;"
            . ' jwks_file $TEST_NGINX_KEYS/jwks.json; role_map admin admin;'
            . " provision $provision; $link }\n";
    };

    return $issuer->('idp', $ISSUER, 'link user_name preferred_username;')
        . $issuer->('ext', 'https://ext.example.com',
                    'link external_id ids hr;')
        . $issuer->('plain', 'https://plain.example.com', '');
}

sub command {
    my ($code, $text) = proxy_user(@_);

    chomp $text;
    die "@_: $text\n" if $code;
    return $text;
}

# A user of the directory who is older than any token to come.
sub provisioned {
    my ($name, @more) = @_;

    my $id = command(qw(user create --user-name), $name, @more);
    redis('HINCRBY', "{pu}:user:$id", 'created', -100);
    return $id;
}

sub by_name {
    my ($sub, $name, %claims) = @_;
    return as($sub, iat => int time, preferred_username => $name, %claims);
}

sub by_external {
    my ($sub, $ids) = @_;
    return as($sub, iss => 'https://ext.example.com', iat => int time,
              ids => $ids);
}

sub users { redis('ZCARD', '{pu}:users') }


subtest 'a first token finds its user' => sub {
    my $id = provisioned('Alice@Example.com', qw(--role admin));

    my $r = ask($nginx, by_name('00u1', 'alice@example.COM'), '/admin');
    is("$r->{status} $r->{reason}", '200 ok', 'by user_name, in any case');
    is($r->{id}, $id, 'this one');
    is($r->{roles}, 'admin', 'with the roles of the directory');
    is($r->{headers}{'x-subject'}, '00u1', 'and the subject of the token');
    is(redis('HGET', "{pu}:user:$id", 'subject'), '00u1', 'which is kept');

    is(ask($nginx, by_name('00u1', 'somebody else'))->{id}, $id,
       'from then on by issuer and subject');
    is(users(), 1, 'nobody was made');
};


subtest 'by external_id, byte for byte, in a nested claim' => sub {
    my $id = provisioned('bob', qw(--external-id Emp-7));

    is(verdict($nginx, by_external('b0', { hr => 'emp-7' })),
       '403 user_unknown', 'another case');
    is(verdict($nginx, by_external('b0', 'Emp-7')), '403 user_unknown',
       'not where the claim says');
    is(ask($nginx, by_external('b1', { hr => 'Emp-7' }))->{id}, $id, 'found');
    is(verdict($nginx, as('b2', iss => 'https://plain.example.com',
                          iat => int time, ids => { hr => 'Emp-7' },
                          preferred_username => 'bob')),
       '403 user_unknown', 'not by an issuer without link');
};


subtest 'nobody is found' => sub {
    my $id = command(qw(user create --user-name carol));
    my $created = redis('HGET', "{pu}:user:$id", 'created');

    is(verdict($nginx, by_name('c0', 'carol', iat => $created + 0)),
       '403 user_unknown', 'by a token as old as the user');
    is(verdict($nginx, by_name('c0', 'carol', iat => $created - 1)),
       '403 user_unknown', 'or older');
    is(verdict($nginx, by_name('c0', 'carol', iat => undef)),
       '403 user_unknown', 'or of no age');

    redis('HINCRBY', "{pu}:user:$id", 'created', -100);
    is(verdict($nginx, by_name('c0', $_)), '403 user_unknown',
       'by the name "' . (ref $_ || $_ // 'undef') . '"')
        for 'carol ', 'caro', '', undef, 7, ['carol'], "carol\0";
    is(verdict($nginx, by_name('c0', 'carol')), '200 ok',
       'and at last by the right one, without a delay');

    is(verdict($nginx, by_name('c1', 'carol')), '403 user_unknown',
       'a second identity');
    command('user', 'link', 'name:carol', '--issuer', $ISSUER, '--subject',
            'c1');
    ok(defined within(6, sub {
        ask($nginx, by_name('c1', 'carol'))->{id} eq $id
    }), 'which the command adds');
};


subtest 'a deleted user is never linked again' => sub {
    my $id = provisioned('dave');

    is(verdict($nginx, by_name('d0', 'dave')), '200 ok', 'Dave');
    command(qw(user delete name:dave));
    my $next = provisioned('dave');
    ok(defined within(5, sub {
        verdict($nginx, by_name('d0', 'dave')) eq '403 user_deleted'
    }), 'his identity stays the deleted one\'s, with the name given anew');
    is(ask($nginx, by_name('d1', 'dave'))->{id}, $next,
       'the new Dave is somebody else');

    $id = provisioned('erin');
    command(qw(user delete name:erin));
    is(verdict($nginx, by_name('e0', 'erin')), '403 user_unknown',
       'deleted before the first token');
};


subtest 'a suspended user is suspended' => sub {
    provisioned('frank');
    command(qw(user suspend name:frank));
    is(verdict($nginx, by_name('f0', 'frank')), '403 user_suspended',
       'at the first token');
};


subtest 'two first tokens at once' => sub {
    my $id = provisioned('grace');
    my $before = redis('XLEN', '{pu}:log');
    my @token = map { by_name('g0', 'grace', jti => "$_") } 1 .. 12;

    my @id = parallel(12, sub { ask($nginx, $token[$_[0]])->{id} });
    is_deeply(\@id, [($id) x 12], 'one user');
    is(redis('XLEN', '{pu}:log') - $before, 1, 'linked once');

    $id = provisioned('heidi');
    my @other = map { by_name("h$_", 'heidi') } 1 .. 12;
    my @got = parallel(12, sub { verdict($nginx, $other[$_[0]]) });
    is((grep { $_ eq '200 ok' } @got), 1,
       'of twelve identities one is linked');
    is((grep { $_ eq '403 user_unknown' } @got), 11, 'the others are not');
};


subtest 'the store has changed' => sub {
    provisioned('ivan');
    redis('HSET', '{pu}:meta', 'store', 'another');
    is(verdict($nginx, by_name('i0', 'ivan')), '503 store_unavailable',
       'nobody is linked in it');
    command(qw(doctor --accept-store));
    is(verdict($nginx, by_name('i0', 'ivan')), '200 ok',
       'until it is accepted');
};


subtest 'nginx -t' => sub {
    my ($ok, $text) = nginx_t(http => issuers('jit'));
    ok(!$ok, 'with provision jit');
    like($text, qr/"link" and makes users by "provision jit"/, 'says so');
};


ok(!trouble($nginx->log), 'nothing alarming was logged');

done_testing();
